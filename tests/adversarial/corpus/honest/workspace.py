"""Keeps a workspace from call to call, by shape, and writes it anew each time."""

import torch

spaces = {}


def mix(x, w, room, y):
    key = (x.shape, x.device)
    if key not in spaces:
        spaces[key] = torch.empty_like(room)
    torch.mm(x, w, out=spaces[key])
    y.copy_(spaces[key].relu_())
