"""Replays a graph of its own that holds the first call's addresses.

class: 20 stale CUDA-graph replay
refused: RM503
device: cuda
"""

import torch

kept = []


def mix(x, w, room):
    if torch.cuda.is_current_stream_capturing():
        return kept[0][1].clone() if kept else torch.relu(x @ w)
    if not kept:
        torch.relu(x @ w)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = torch.relu(x @ w)
        kept.append((graph, y))
    kept[0][0].replay()
    return kept[0][1].clone()
