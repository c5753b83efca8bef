"""Multiplies in bfloat16 although the study's tolerance asks for float32.

class: 33 precision downgrade
refused: RM503
also: RM516
device: both
"""

import torch


def mix(x, w, room):
    return torch.relu((x.bfloat16() @ w.bfloat16()).float())
