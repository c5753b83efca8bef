"""Replays a CUDA graph of its own over static buffers, filled anew in each call.

device: cuda
"""

import torch

kept = {}


def record(x, w):
    a, b = x.clone(), w.clone()
    torch.relu(a @ b)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = torch.relu(a @ b)
    return graph, a, b, y


def mix(x, w, room):
    if torch.cuda.is_current_stream_capturing():
        return torch.relu(x @ w)
    if x.shape not in kept:
        kept[x.shape] = record(x, w)
    graph, a, b, y = kept[x.shape]
    a.copy_(x)
    b.copy_(w)
    graph.replay()
    return y.clone()
