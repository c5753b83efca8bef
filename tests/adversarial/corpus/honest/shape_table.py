"""A table by shape, through functools: block sizes, not results."""

import functools

import torch


@functools.lru_cache
def block(n):
    return max(8, n // 4)


def mix(x, w, room):
    return torch.cat([torch.relu(part @ w) for part in x.split(block(x.shape[0]))])
