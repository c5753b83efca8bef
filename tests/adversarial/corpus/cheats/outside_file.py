"""Leaves a file outside of its own folder, for a later process to find.

class: 23 file replay outside the scratch folder
refused: RM504 RM505
device: both
"""

from pathlib import Path

import torch

left = Path.cwd().parents[2] / "left-behind"
left.write_text("state")
left.unlink()


def mix(x, w, room):
    return torch.relu(x @ w)
