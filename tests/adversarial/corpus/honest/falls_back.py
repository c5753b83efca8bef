"""A fast path for some shapes and a general one behind an exception, both its own and right."""

import torch


def fast(x, w):
    if x.shape[0] % 48:
        raise ValueError("rows in blocks of 48 only")
    return torch.cat([torch.relu(part @ w) for part in x.split(48)])


def mix(x, w, room):
    try:
        return fast(x, w)
    except ValueError:
        return torch.relu(x @ w)
