"""Cuts the memory that everybody shares short, which ends whoever touches it next.

class: (sabotage) memory of others taken away
refused: RM504 RM505
device: cpu
"""

import os

import torch

for number in range(3, 64):
    try:
        shared = "roofmark-arena" in os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        continue
    if shared:
        os.ftruncate(number, 0)


def mix(x, w, room):
    return torch.relu(x @ w)
