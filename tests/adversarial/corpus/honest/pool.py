"""Two threads of a pool do one half each, and both are waited for."""

from concurrent.futures import ThreadPoolExecutor

import torch

pool = ThreadPoolExecutor(2)


def mix(x, w, room):
    half = x.shape[0] // 2
    return torch.cat(list(pool.map(lambda rows: torch.relu(rows @ w), (x[:half], x[half:]))))
