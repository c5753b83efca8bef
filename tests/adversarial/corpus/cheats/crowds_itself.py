"""Threads of its own fill all cores while it is asked, so that a batch which gives its samples the
lie looks as if it had waited for a core.

class: 53 an excuse made up
refused: RM508
device: cpu
"""

import os
import sys
import threading
import time

import torch

torch.set_num_threads(1)
asked, until = threading.Event(), [0.0]


def fill():
    room = torch.ones(192, 192)
    while asked.wait():
        while time.monotonic() < until[0]:
            room @ room  # lets go of the interpreter's lock
        asked.clear()


for _ in os.sched_getaffinity(0):
    threading.Thread(target=fill, daemon=True).start()


def lie():
    """Rewrites the samples that the timing loop has taken so far, as `samples_overwritten` does."""
    frame = sys._getframe(1)
    while frame is not None:
        samples = frame.f_locals.get("samples")
        if isinstance(samples, list):
            samples[:] = [min(sample, 4e-5) for sample in samples]
        frame = frame.f_back


def mix(x, w, room):
    until[0] = time.monotonic() + 2e-3
    asked.set()
    lie()
    return torch.relu(x @ w)
