"""Has a timer of the kernel wake it (SIGCONT) while it is stopped, and keeps the cores busy then.

class: 61 running while it is to stand still
refused: RM504 RM505 RM509
device: both
"""

import ctypes
import hashlib
import signal
import threading
import time

import torch

torch.set_num_threads(1)
last, armed = [time.monotonic()], [False]
block = bytes(1 << 20)


class Event(ctypes.Structure):
    """Source: sigevent(3type)."""

    _fields_ = (
        ("value", ctypes.c_uint64),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


library, timer = ctypes.CDLL(None), ctypes.c_void_p()
event, every = Event(0, signal.SIGCONT, 0), (ctypes.c_long * 4)(0, 1_000_000, 0, 1_000_000)
if library.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)) != 0:
    raise PermissionError("no timer that sends a signal of one's own choice")
library.timer_settime(timer, 0, every, None)
signal.signal(signal.SIGCONT, lambda *_: None)


def spin():
    while True:
        # Not where the bench looks who is busy unasked: after the first calls.
        if armed[0] and 4e-3 < time.monotonic() - last[0] < 0.5:
            hashlib.sha256(block)
        else:
            time.sleep(1e-3)


for _ in range(2):
    threading.Thread(target=spin, daemon=True).start()


def mix(x, w, room):
    now = time.monotonic()
    armed[0] = armed[0] or now - last[0] > 0.3
    last[0] = now
    return torch.relu(x @ w)
