"""The reference: RMS norm as its formula reads; the referee gives it float64 inputs."""

import torch


def rmsnorm(x, w, eps):
    mean_square = (x * x).mean(dim=-1, keepdim=True)
    return x / torch.sqrt(mean_square + eps) * w
