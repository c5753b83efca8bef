"""Counts its own calls and the time they take, for its own log."""

import time

import torch

count, spent = 0, 0.0


def mix(x, w, room):
    global count, spent
    start = time.perf_counter()
    y = torch.relu(x @ w)
    count, spent = count + 1, spent + time.perf_counter() - start
    return y
