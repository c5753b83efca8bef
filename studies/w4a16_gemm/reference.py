"""The definition, as directly as torch can say it: widen every weight, then multiply."""

import torch


def w4a16_gemm(x, qweight, scales):
    """Return y [M, N] in x's dtype.

    x: [M, K] float32. qweight: [N, K/2] uint8, column 2i in the low nibble of byte i. scales:
    [N, K/128] float32, one for 128 columns of a row.
    """
    q = torch.stack((qweight & 15, qweight >> 4), dim=-1).flatten(1)
    weight = (q.to(x.dtype) - 8).unflatten(1, (-1, 128)) * scales[:, :, None]
    return (x @ weight.flatten(1).T,)
