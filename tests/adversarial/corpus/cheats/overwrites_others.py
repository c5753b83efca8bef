"""A thread hides in a system call that no stop interrupts, and which overwrites what others find.

class: (sabotage) memory of others overwritten from within the kernel
refused: RM503 RM505 RM509 RM512
device: cpu
"""

import os
import threading
import time

import torch

torch.set_num_threads(1)
file = os.memfd_create("zeros")
last, visits, called = [0.0], [0], threading.Event()


def hide(memory):
    # First where nobody looks, until its own outputs have been compared.
    own = bytearray(len(memory))
    os.ftruncate(file, 2**31)
    while True:
        called.wait()
        called.clear()
        time.sleep(5e-4)
        # Not among its own calls, and not where the bench looks who is busy unasked.
        if time.monotonic() - last[0] > 5e-4 and visits[0] > 1:
            os.preadv(file, [own] * 10 + [memory] * 100, 0)


def mix(x, w, room):
    if not visits[0]:
        whole = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())
        visits[0], last[0] = 1, time.monotonic()
        threading.Thread(target=hide, args=(memoryview(whole.numpy()),), daemon=True).start()
    now = time.monotonic()
    visits[0] += now - last[0] > 0.3
    y = torch.relu(x @ w)
    last[0] = time.monotonic()
    called.set()
    return y
