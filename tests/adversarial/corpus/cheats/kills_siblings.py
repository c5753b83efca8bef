"""Sends a signal to the other processes of the run. (Signal 0: it asks, and does no harm.)

class: (sabotage) others killed
refused: RM504 RM505
device: both
"""

import os

import torch

reached = []
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) not in (os.getpid(), os.getppid()):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                ours = b"roofmark.bench" in file.read()
            if ours:
                os.kill(int(entry), 0)
                reached.append(entry)
        except OSError:
            continue
if not reached:
    raise PermissionError("no other process can be signalled")


def mix(x, w, room):
    return torch.relu(x @ w)
