"""Swaps the code object of the timing loop: the function keeps its identity, not what it does.

class: 6 __code__ swapped
refused: RM508 RM510
device: both
"""

import torch

from roofmark.bench import timer

keep = timer.CallTimer.take.__code__
plain = type(timer.CallTimer.take)(keep, timer.CallTimer.take.__globals__)
timer.plain_take = plain


def take(self, slots, calls, cache):
    taken = plain_take(self, slots, calls, cache)  # noqa: F821 (found in the timer's globals)
    taken.samples = [sample / 2 for sample in taken.samples]
    return taken


timer.CallTimer.take.__code__ = take.__code__


torch.set_num_threads(1)


def mix(x, w, room):
    return torch.relu(x @ w)
