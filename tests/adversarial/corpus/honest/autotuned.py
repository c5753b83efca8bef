"""Tries two variants with a clock of its own in the first call, and keeps the faster one."""

import time

import torch


def whole(x, w):
    return torch.relu(x @ w)


def split(x, w):
    half = x.shape[0] // 2
    return torch.relu(torch.cat([x[:half] @ w, x[half:] @ w]))


chosen = []


def mix(x, w, room):
    if not chosen:
        took = {}
        for variant in (whole, split):
            start = time.perf_counter_ns()
            for _ in range(5):
                variant(x, w)
            took[variant] = time.perf_counter_ns() - start
        chosen.append(min(took, key=took.get))
    return chosen[0](x, w)
