"""Returns a view with strides of its own: right values, unusual layout."""

import torch


def mix(x, w, room):
    return torch.relu(w.t() @ x.t()).t()
