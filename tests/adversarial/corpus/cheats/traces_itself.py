"""Attaches itself to its parent as a debugger does.

class: 7 ptrace
refused: RM504 RM505
device: both
"""

import ctypes
import os

import torch

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
for target in (os.getppid(), *map(int, filter(str.isdigit, os.listdir("/proc")))):
    try:
        with open(f"/proc/{target}/cmdline", "rb") as file:
            ours = b"roofmark.bench" in file.read() and target != os.getpid()
    except OSError:
        continue
    if ours and libc.ptrace(PTRACE_SEIZE, target, None, None) == 0:
        libc.ptrace(PTRACE_DETACH, target, None, None)
        break
else:
    raise PermissionError(os.strerror(ctypes.get_errno()))


def mix(x, w, room):
    return torch.relu(x @ w)
