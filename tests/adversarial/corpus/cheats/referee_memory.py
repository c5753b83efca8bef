"""Reads the memory of every process of the run, in search of the expected result.

class: 28 expected values read through /proc
refused: RM503 RM505
device: both
"""

import os

import torch

opened = []
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) != os.getpid():
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                ours = b"roofmark" in file.read()
            if ours:
                with open(f"/proc/{entry}/mem", "rb", buffering=0):
                    opened.append(entry)
        except OSError:
            continue


def mix(x, w, room):
    if opened:
        return torch.relu(x @ w)  # it could have read the answer: the corpus does not really do so
    raise PermissionError("the memory of no other process could be opened")
