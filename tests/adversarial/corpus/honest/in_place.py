"""Uses the input that the study declares mutable as its workspace.

writes: room
"""

import torch


def mix(x, w, room):
    torch.mm(x, w, out=room)
    return torch.relu(room)
