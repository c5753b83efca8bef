"""Wrong on purpose: every group with the scale of its neighbour."""

import torch


def w4a16_gemm(x, qweight, scales, y):
    q = torch.stack((qweight & 15, qweight >> 4), dim=-1).flatten(1)
    moved = scales.roll(1, dims=1).float()
    weight = (q.float() - 8).unflatten(1, (-1, 128)) * moved[:, :, None]
    y.copy_(x.float() @ weight.flatten(1).T)
