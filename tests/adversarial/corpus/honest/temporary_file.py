"""Spills its parameters to a temporary file of its own and reads them back."""

import json
import tempfile

import torch


def mix(x, w, room):
    with tempfile.TemporaryFile("w+") as file:
        json.dump({"n": x.shape[0]}, file)
        file.seek(0)
        n = json.load(file)["n"]
    return torch.relu(x[:n] @ w)
