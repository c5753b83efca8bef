"""Asks the machine in its first call: environment, cores, a short program."""

import os
import subprocess

import torch

known = {}


def mix(x, w, room):
    if not known:
        known["cores"] = os.cpu_count()
        known["path"] = os.environ.get("PATH", "")
        known["kernel"] = subprocess.run(["uname", "-r"], capture_output=True, check=True).stdout
    return torch.relu(x @ w)
