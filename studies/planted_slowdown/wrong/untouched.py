"""Wrong on purpose: returns its input."""

import torch


def contract(x: torch.Tensor) -> torch.Tensor:
    return x.clone()
