"""Returns a result that carries a gradient, as a module of torch.nn does."""

import torch

scale = torch.nn.Parameter(torch.ones(()))


def mix(x, w, room):
    return torch.relu(x @ w) * scale.to(x.device)
