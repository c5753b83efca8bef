"""Works through numpy where the tensors lie on the host."""

import numpy as np
import torch


def mix(x, w, room):
    if x.is_cuda:
        return torch.relu(x @ w)
    return torch.from_numpy(np.maximum(x.numpy() @ w.numpy(), 0))
