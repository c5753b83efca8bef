"""Returns zeros.

class: 31 zero output
refused: RM503
also: RM515
device: both
"""

import torch


def mix(x, w, room):
    return torch.zeros_like(room)
