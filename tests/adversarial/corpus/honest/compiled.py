"""Compiles itself with torch.compile, in the first call."""

import torch


@torch.compile(dynamic=False)
def fused(x, w):
    return torch.relu(x @ w)


def mix(x, w, room):
    return fused(x, w)
