"""Does a little more work where the values ask for it: rows that are negative throughout."""

import torch


def mix(x, w, room):
    y = x @ w
    if bool((y < 0).all()):
        return torch.zeros_like(y)
    return torch.relu(y)
