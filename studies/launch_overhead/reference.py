"""The definition: two products for each layer, in float64."""

import torch


def gates(x, alpha, beta):
    """Return [L, 2, H]. x: [D]; alpha, beta: [L, H, D]; all float64."""
    return torch.stack((alpha @ x, beta @ x), dim=1)
