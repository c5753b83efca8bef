"""The second half of the work goes to another stream, behind the end mark.

class: 2 work after the end mark
refused: RM503 RM508
device: cuda
"""

import torch

side = []


def mix(x, w, room, y):
    if not side:
        side.append(torch.cuda.Stream())
    half = x.shape[0] // 2
    torch.mm(x[:half], w, out=y[:half])
    y[:half].relu_()
    with torch.cuda.stream(side[0]):
        torch.mm(x[half:], w, out=y[half:])
        y[half:].relu_()
