"""Works under inference_mode, whose tensors are not like others."""

import torch


@torch.inference_mode()
def mix(x, w, room):
    return torch.relu(x @ w)
