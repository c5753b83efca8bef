"""Works in every other call and repeats itself in between.

class: 19 call counter
refused: RM503
device: both
"""

import torch

calls, last = [0], [None]


def mix(x, w, room):
    calls[0] += 1
    if calls[0] % 2 or last[0] is None:
        last[0] = torch.relu(x @ w)
    return last[0].clone()
