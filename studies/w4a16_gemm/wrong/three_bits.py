"""Wrong on purpose: the lowest bit of every weight lost."""

import torch


def w4a16_gemm(x, qweight, scales, y):
    q = torch.stack((qweight & 14, qweight >> 4 & 14), dim=-1).flatten(1)
    weight = (q.float() - 7.5).unflatten(1, (-1, 128)) * scales.float()[:, :, None]
    y.copy_(x.float() @ weight.flatten(1).T)
