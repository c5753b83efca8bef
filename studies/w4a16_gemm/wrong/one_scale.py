"""Wrong on purpose: the first group's scale for the whole row."""

import torch


def w4a16_gemm(x, qweight, scales, y):
    q = torch.stack((qweight & 15, qweight >> 4), dim=-1).flatten(1)
    weight = (q.float() - 8) * scales[:, :1].float()
    y.copy_(x.float() @ weight.T)
