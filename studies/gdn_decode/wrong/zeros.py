"""Wrong: writes zeros, which an absolute tolerance lets pass wherever the truth is small."""

import torch


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    return torch.zeros_like(v), torch.zeros_like(state)
