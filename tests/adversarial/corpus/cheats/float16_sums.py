"""Rounds only one operand, to float16; the error is small enough for many tolerances.

class: 33 precision downgrade
refused: RM503
device: both
"""

import torch


def mix(x, w, room):
    return torch.relu(x @ w.half().float())
