"""Wrong on purpose: the high nibble taken for the even column."""

import torch


def w4a16_gemm(x, qweight, scales, y):
    q = torch.stack((qweight >> 4, qweight & 15), dim=-1).flatten(1)
    weight = (q.float() - 8).unflatten(1, (-1, 128)) * scales.float()[:, :, None]
    y.copy_(x.float() @ weight.flatten(1).T)
