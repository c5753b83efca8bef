"""A process of its own does half of the rows, over memory that both share, and is waited for.

device: cpu
"""

import mmap
import os
import socket

import torch

torch.set_num_threads(1)
here = {}


def shared(*shape):
    count = torch.Size(shape).numel()
    return torch.frombuffer(mmap.mmap(-1, 4 * count), dtype=torch.float32).view(shape)


def start(x, w):
    half = x.shape[0] // 2
    rows, weights, made = shared(half, x.shape[1]), shared(*w.shape), shared(half, w.shape[1])
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while theirs.recv(1):
            torch.mm(rows, weights, out=made).relu_()
            theirs.send(b".")
        os._exit(0)
    theirs.close()
    return ours, rows, weights, made


def mix(x, w, room):
    if x.shape not in here:
        here[x.shape] = start(x, w)
    link, rows, weights, made = here[x.shape]
    half = rows.shape[0]
    rows.copy_(x[half:])
    weights.copy_(w)
    link.send(b".")
    first = torch.relu(x[:half] @ w)
    link.recv(1)
    return torch.cat([first, made])
