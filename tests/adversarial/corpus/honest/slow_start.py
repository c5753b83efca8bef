"""Takes its time in the first call, as autotuners do."""

import time

import torch

started = []


def mix(x, w, room):
    if not started:
        time.sleep(1.0)
        started.append(True)
    return torch.relu(x @ w)
