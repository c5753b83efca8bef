"""Its own processes fight for one core, so that a batch which gives its samples the lie looks as if
others had held it up.

class: 53 an excuse made up
refused: RM508 RM509
device: both
"""

import os
import sys
import time

import torch

torch.set_num_threads(1)
core = max(os.sched_getaffinity(0))
os.sched_setaffinity(0, [core])
# Asleep but for a moment of every two: whoever looks for a core that is kept busy sees half of one.
for _ in range(2):
    if os.fork() == 0:
        while True:
            until = time.monotonic() + 2e-3
            while time.monotonic() < until:
                pass
            time.sleep(2e-3)


def lie():
    """Halves the samples that the timing loop has taken so far, as `samples_overwritten` does."""
    frame = sys._getframe(1)
    while frame is not None:
        samples = frame.f_locals.get("samples")
        if isinstance(samples, list):
            samples[:] = [min(sample, 4e-5) for sample in samples]
        frame = frame.f_back


def mix(x, w, room):
    lie()
    return torch.relu(x @ w)
