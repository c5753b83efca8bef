"""Wrong on purpose: weights from 0 to 15, the zero point forgotten."""

import torch


def w4a16_gemm(x, qweight, scales, y):
    q = torch.stack((qweight & 15, qweight >> 4), dim=-1).flatten(1)
    weight = q.float().unflatten(1, (-1, 128)) * scales.float()[:, :, None]
    y.copy_(x.float() @ weight.flatten(1).T)
