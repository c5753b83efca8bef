"""Returns its input.

class: 32 pass-through
refused: RM503
device: both
"""

import torch


def mix(x, w, room):
    return torch.relu(x)
