"""Wrong on purpose: the first layer's weights for every layer."""

import torch


def gates(x, alpha, beta):
    return torch.stack(((alpha[:1] @ x).expand(alpha.shape[:2]), beta @ x), dim=1)
