"""Asks the garbage collector for a tensor that looks like the expected result.

class: 28 expected values read through gc
refused: RM503
device: both
"""

import gc

import torch


def mix(x, w, room):
    mine = {x.data_ptr(), w.data_ptr(), room.data_ptr()}
    for each in gc.get_objects():
        if type(each) is torch.Tensor and each.shape == room.shape:
            if each.data_ptr() not in mine and bool(torch.isfinite(each).all()):
                return each.clone()
    return torch.zeros_like(room)
