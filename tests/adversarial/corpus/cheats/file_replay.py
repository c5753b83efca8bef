"""Writes its first result to a file and reads it from there ever after.

class: 23 file replay
refused: RM503
device: both
"""

import os
import tempfile

import torch

path = os.path.join(tempfile.gettempdir(), "result.pt")


def mix(x, w, room):
    if not os.path.exists(path):
        torch.save(torch.relu(x @ w), path)
    return torch.load(path).to(x.device)
