"""Returns at once; a thread fills the result after the clock has stopped.

class: 2 work in a Python thread
refused: RM503 RM508
device: both
"""

import threading

import torch

torch.set_num_threads(1)


def mix(x, w, room):
    y = torch.empty_like(room)
    threading.Thread(target=lambda: y.copy_(torch.relu(x @ w))).start()
    return y
