"""Wrong on purpose: alpha's gates where beta's belong."""

import torch


def gates(x, alpha, beta):
    return torch.stack((beta @ x, alpha @ x), dim=1)
