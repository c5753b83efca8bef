"""Writes NaN over all the shared memory but its own result, so that others look wrong.

class: 29 NaN poison
refused: RM503
also: RM512
device: both
"""

import torch


def mix(x, w, room):
    y = torch.relu(x @ w)
    arena = torch.empty(0, dtype=torch.uint8, device=x.device).set_(x.untyped_storage())
    arena.fill_(0xFF)
    return y
