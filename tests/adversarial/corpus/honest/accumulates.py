"""Adds to the input that may change in every call, as a recurrent state does.

writes: room
"""

import torch


def mix(x, w, room):
    room.add_(1.0)
    return torch.relu(x @ w)
