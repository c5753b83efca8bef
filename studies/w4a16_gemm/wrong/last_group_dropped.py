"""Wrong on purpose: the last 128 columns left out."""

import torch


def w4a16_gemm(x, qweight, scales, y):
    q = torch.stack((qweight & 15, qweight >> 4), dim=-1).flatten(1)
    weight = (q.float() - 8).unflatten(1, (-1, 128)) * scales.float()[:, :, None]
    y.copy_(x[:, :-128].float() @ weight.flatten(1)[:, :-128].T)
