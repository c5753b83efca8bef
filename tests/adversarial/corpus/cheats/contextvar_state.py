"""Keeps its last result in a context variable.

class: 25 state in contextvars
refused: RM503
device: both
"""

import contextvars

import torch

last = contextvars.ContextVar("last", default=None)


def mix(x, w, room):
    if last.get() is None:
        last.set(torch.relu(x @ w))
    return last.get().clone()
