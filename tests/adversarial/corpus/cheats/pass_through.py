"""Returns its input.

class: 32 pass-through
refused: RM503
also: RM515
device: both
"""

import torch


def mix(x, w, room):
    return torch.relu(x)
