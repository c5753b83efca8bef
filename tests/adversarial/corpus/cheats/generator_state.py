"""Keeps its last result in the frame of a generator.

class: 25 state in generators
refused: RM503
device: both
"""

import torch


def produce():
    x, w = yield
    y = torch.relu(x @ w)
    while True:
        yield y.clone()


source = produce()
next(source)


def mix(x, w, room):
    return source.send((x, w))
