"""Keeps Python's garbage collector off while it works, and puts it back as it was."""

import gc

import torch


def mix(x, w, room):
    was = gc.isenabled()
    gc.disable()
    try:
        return torch.relu(x @ w)
    finally:
        if was:
            gc.enable()
