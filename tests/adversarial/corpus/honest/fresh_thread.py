"""Starts a thread in every call and joins it."""

import contextlib
import threading

import torch


def mix(x, w, room, y):
    half = x.shape[0] // 2
    # A thread begins on the default stream; the caller's is the one that is waited for.
    ours = torch.cuda.stream(torch.cuda.current_stream()) if x.is_cuda else contextlib.nullcontext()

    def rest():
        with ours:
            torch.mm(x[half:], w, out=y[half:])

    other = threading.Thread(target=rest)
    other.start()
    torch.mm(x[:half], w, out=y[:half])
    other.join()
    y.relu_()
