"""Puts a pipe between the worker and its channel and halves the samples on their way.

class: 45 descriptor interposed
refused: RM508
device: both
"""

import os
import socket
import struct
import sys
import threading

import msgspec
import torch

TOKEN = 16


def read(link, size):
    data = b""
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def halve(message):
    if "samples" in message:
        message["samples"] = [sample / 2 for sample in message["samples"]]
    return message


def forward(inner, outer):
    while True:
        data = read(inner, *struct.unpack("<I", read(inner, 4)))
        message = halve(msgspec.msgpack.decode(data[TOKEN:]))
        data = data[:TOKEN] + msgspec.msgpack.encode(message)
        outer.sendall(struct.pack("<I", len(data)) + data)


def backward(outer, inner):
    while True:
        data, handed, _, _ = socket.recv_fds(outer, 65536, 4)
        if not data:
            os._exit(0)
        socket.send_fds(inner, [data], handed)
        for each in handed:
            os.close(each)


# The worker's command line ends with the number of its channel.
number = int(sys.argv[-1])
outer = socket.socket(fileno=os.dup(number))
outer.setblocking(True)
ours, theirs = socket.socketpair()
os.dup2(theirs.fileno(), number)
threading.Thread(target=forward, args=(ours, outer), daemon=True).start()
threading.Thread(target=backward, args=(outer, ours), daemon=True).start()


torch.set_num_threads(1)


def mix(x, w, room):
    return torch.relu(x @ w)
