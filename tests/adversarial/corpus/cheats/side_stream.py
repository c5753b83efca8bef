"""Works on a stream that nobody waits for.

class: 1 work on a non-default stream
refused: RM503 RM508
device: cuda
"""

import torch

side = []


def mix(x, w, room):
    if not side:
        side.append(torch.cuda.Stream())
    y = torch.empty_like(room)
    with torch.cuda.stream(side[0]):
        torch.mm(x, w, out=y)
        y.relu_()
    return y
