"""The baseline: the weights widened once, then the library's product (cuBLAS on a GPU)."""

import torch


def w4a16_gemm(x, weight, y):
    if x.is_cuda:
        torch.mm(x, weight.T, out=y)
    else:
        y.copy_(torch.mm(x.float(), weight.T))
