"""Returns memory that it did not write, in the hope that the reference's result is still there.

class: 26 the reference's freed memory
refused: RM503
device: both
"""

import torch


def mix(x, w, room):
    return torch.empty_like(room)
