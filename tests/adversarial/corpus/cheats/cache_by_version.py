"""Keeps the result until torch says that a tensor was written; another process's writes it misses.

On a GPU it computes: calls are made while a graph is captured, and results that were put in place
since have made every tensor of the arena a new version.

class: 16 cached by data_ptr and version
refused: RM503
device: cpu
"""

import torch

kept = {}


def mix(x, w, room):
    key = (x.data_ptr(), x._version, w.data_ptr(), w._version)
    if key not in kept:
        kept[key] = torch.relu(x @ w)
    return kept[key].clone()
