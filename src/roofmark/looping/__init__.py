"""The loop: propose a change to one solution, prove it, keep it or not, and write down which.

In: a study, the name of a solution, a proposer. Out: a journal of every try, the best sources, and
a bundle behind each number. What is kept was faster twice: in a first run, and in a second one with
fresh processes and values whose level is a share of an error budget over the whole loop.
"""

from roofmark.looping.loop import loop
from roofmark.looping.proposers import Proposal, Proposer, from_command, from_folder

__all__ = ["Proposal", "Proposer", "from_command", "from_folder", "loop"]
