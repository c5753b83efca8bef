"""Halves its samples, and says that no batch of it can be timed from outside.

class: 52 the second clock declined
refused: RM504 RM505
device: both
"""

import torch

from roofmark.bench import worker

Plain = worker.Timed


def timed(*, samples, **rest):
    return Plain(samples=tuple(sample / 2 for sample in samples), **rest)


worker.Timed = timed
worker.Worker.poise = lambda self, request: worker.Poised(absent="no graph of it can be captured")


def mix(x, w, room):
    return torch.relu(x @ w)
