"""The loop: propose a change to one solution, prove it, keep it or not, and write down which.

In: a study, the name of a solution, a proposer. Out: a journal of every try, the best sources, and
a bundle behind each number. What is kept was faster twice: in a first run, and in a second one with
fresh processes and values whose level is a share of an error budget over the whole loop.
"""

from roofmark.looping.loop import loop
from roofmark.looping.proposers import Proposal, Proposer, from_command, from_folder
from roofmark.looping.search import from_search, parse_space
from roofmark.looping.tries import Note

__all__ = [
    "Note",
    "Proposal",
    "Proposer",
    "from_command",
    "from_folder",
    "from_search",
    "loop",
    "parse_space",
]
