"""A solution: torch's own fused RMS norm."""

import torch


def rmsnorm(x, w, eps):
    return torch.nn.functional.rms_norm(x, x.shape[-1:], w, eps)
