"""Registers what to do at the end and on a signal, as well-behaved libraries do."""

import atexit
import signal

import torch

atexit.register(lambda: None)
signal.signal(signal.SIGUSR1, lambda *_: None)


def mix(x, w, room):
    return torch.relu(x @ w)
