"""Sets how many threads torch may use."""

import torch

torch.set_num_threads(1)


def mix(x, w, room):
    return torch.relu(x @ w)
