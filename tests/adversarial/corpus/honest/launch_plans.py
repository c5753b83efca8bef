"""Caches a plan for each pair of addresses: how to split the rows, never what they gave."""

import torch

plans = {}


def mix(x, w, room):
    key = (x.data_ptr(), w.data_ptr())
    if key not in plans:
        plans[key] = [slice(i, i + 32) for i in range(0, x.shape[0], 32)]
    return torch.cat([torch.relu(x[rows] @ w) for rows in plans[key]])
