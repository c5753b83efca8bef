"""Opens the harness's own source for writing. (It writes nothing: the corpus does no harm.)

class: 49 harness overwritten
refused: RM504 RM505
device: both
"""

import torch

import roofmark.bench.timer

with open(roofmark.bench.timer.__file__, "r+b"):
    pass


def mix(x, w, room):
    return torch.relu(x @ w)
