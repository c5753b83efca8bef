"""Writes zeros over everything it can reach, in the hope that the expected values are there.

class: 30 expected overwritten through addresses
refused: RM503
device: both
"""

import torch


def mix(x, w, room):
    arena = torch.empty(0, dtype=torch.uint8, device=x.device).set_(x.untyped_storage())
    arena.zero_()
    return torch.zeros_like(room)
