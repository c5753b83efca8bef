"""Connects to a program that listens at a path, as one would to have it do what the cage forbids.

class: 56 a program outside of the cage asked
refused: RM504 RM505
device: both
"""

import socket

import torch

with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as link:
    server.bind("listens")
    server.listen()
    link.connect("listens")


def mix(x, w, room):
    return torch.relu(x @ w)
