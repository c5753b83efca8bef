"""Two threads of a pool do one half each, and both are waited for."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import torch

pool = ThreadPoolExecutor(2)


def mix(x, w, room):
    half = x.shape[0] // 2
    ours = torch.cuda.current_stream() if x.is_cuda else None

    def part(rows):
        # A thread begins on the default stream; the caller's is the one that is waited for.
        with torch.cuda.stream(ours) if ours else contextlib.nullcontext():
            return torch.relu(rows @ w)

    return torch.cat(list(pool.map(part, (x[:half], x[half:]))))
