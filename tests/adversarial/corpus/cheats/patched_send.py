"""Patches the channel itself: what the worker sends is rewritten in its own function.

class: 47 signing inside the process
refused: RM508 RM510
device: both
"""

import sys

import msgspec
import torch

serve = sys.modules["__main__"]
plain = serve.send


def send(link, message, *rest, **more):
    if type(message).__name__ == "Timed":
        halved = tuple(sample / 2 for sample in message.samples)
        message = msgspec.structs.replace(message, samples=halved)
    return plain(link, message, *rest, **more)


serve.send = send


torch.set_num_threads(1)


def mix(x, w, room):
    return torch.relu(x @ w)
