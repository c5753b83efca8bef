"""Starts a thread in every call and joins it."""

import threading

import torch


def mix(x, w, room, y):
    half = x.shape[0] // 2
    other = threading.Thread(target=lambda: torch.mm(x[half:], w, out=y[half:]))
    other.start()
    torch.mm(x[:half], w, out=y[:half])
    other.join()
    y.relu_()
