"""Puts another module in place of `time` into the timer's own globals.

class: 6 globals swapped
refused: RM508 RM510
device: both
"""

import time
import types

import torch

from roofmark.bench import timer

plain = time.perf_counter_ns
fake = types.ModuleType("time")
fake.__dict__.update(vars(time))
fake.perf_counter_ns = lambda: plain() // 2
timer.time = fake


torch.set_num_threads(1)


def mix(x, w, room):
    return torch.relu(x @ w)
