"""The baselines: weights unpacked before anything is timed, the product left to torch.

In: attn [B, 6144] bfloat16; dense [H, 6144], fp4 * scale without rounding; global_scale. Out:
[B, H] float32. What unpacking costs is bytes: 16 or 32 bits per weight are read instead of 4.5.
"""

import torch


def wo(attn, dense, global_scale):
    return torch.mm(attn.float(), dense.T).mul_(global_scale)


def wo_bfloat16(attn, dense, global_scale):
    return torch.mm(attn, dense.T, out_dtype=torch.float32).mul_(global_scale)
