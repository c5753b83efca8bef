"""Writes a reply of its own to every socket it finds, before the worker can.

class: 44 forged result on an inherited descriptor
refused: RM505
device: both
"""

import os
import stat
import struct

import msgspec
import torch

calls = [0]


def forge():
    reply = {"type": "timed", "samples": [1e-6] * 4, "calls": 1, "clock": "x", "discarded": []}
    data = msgspec.msgpack.encode(reply)
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, struct.pack("<I", len(data)) + data)
        except OSError:
            continue


def mix(x, w, room):
    calls[0] += 1
    if calls[0] == 12:
        forge()
    return torch.relu(x @ w)
