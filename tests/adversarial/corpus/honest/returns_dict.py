"""Names its output."""

import torch


def mix(x, w, room):
    return {"y": torch.relu(x @ w)}
