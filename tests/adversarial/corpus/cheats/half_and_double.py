"""Lies by visits: next to nothing in every other one, twice its time in those between.

class: 59 a lie that the middle of even numbers hides
refused: RM508
device: cpu
"""

import sys
import time

import torch

torch.set_num_threads(1)
visits, took, begun = [0], [1e-3], [False]


def lie():
    """Rewrites the samples that the timing loop has taken so far, as `samples_overwritten` does."""
    frame = sys._getframe(1)
    while frame is not None:
        samples = frame.f_locals.get("samples")
        if isinstance(samples, list):
            visits[0] += begun[0] and not samples
            begun[0] = bool(samples)
            said = 1e-6 if visits[0] % 2 else 2 * took[0]
            samples[:] = [said] * len(samples)
        frame = frame.f_back


def mix(x, w, room):
    lie()
    start = time.perf_counter()
    y = torch.relu(x @ w)
    took[0] = min(took[0], time.perf_counter() - start)
    return y
