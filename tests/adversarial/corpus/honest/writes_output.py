"""Takes its output as an argument and returns it, as torch's out= functions do."""

import torch


def mix(x, w, room, y):
    torch.mm(x, w, out=y)
    return y.relu_()
