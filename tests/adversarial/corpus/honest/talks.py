"""Says something in every call, on both channels."""

import sys

import torch


def mix(x, w, room):
    print("mixing", tuple(x.shape))
    print("mixing", file=sys.stderr)
    return torch.relu(x @ w)
