"""A profiler's hook does the work when the timing loop is about to read its clock.

class: 62 work inside the reading of the clock
refused: RM503 RM508
device: cpu
"""

import sys
import time

import torch

torch.set_num_threads(1)
made, readings = {}, [0]


def hook(frame, event, what):
    if event == "c_call" and what is time.perf_counter_ns and "thunk" in frame.f_locals:
        readings[0] += 1
        if readings[0] % 2 == 0:
            return
        thunk = frame.f_locals["thunk"]
        x, w = (*thunk.args, *thunk.keywords.values())[:2]
        made[x.data_ptr()] = (float(x[0, 0]), torch.relu(x @ w))


sys.setprofile(hook)


def mix(x, w, room):
    mark, y = made.pop(x.data_ptr(), (None, None))
    return y if mark == float(x[0, 0]) else torch.relu(x @ w)
