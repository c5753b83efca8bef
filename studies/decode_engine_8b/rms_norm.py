"""RMS normalisation in one Triton kernel, and the same slowed down on purpose.

y = w * (x / sqrt(mean(x^2) + eps)), one program per row; sums in float32, as the model does.
`REPEAT` runs the reduction again and again, each waiting for the one before: the result stays, the
time grows. It is there so that a prediction of what a kernel costs end to end can be tested.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def rms_norm_kernel(x, w, y, d, eps, BLOCK: tl.constexpr, REPEAT: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < d
    v = tl.load(x + row * d + at, mask=inside, other=0.0).to(tl.float32)
    scale = 0.0
    for _ in range(REPEAT):
        # Times zero keeps the value and makes each round wait for the last one.
        scale = tl.rsqrt(tl.sum(v * v + scale * 0.0, axis=0) / d + eps)
    normal = (v * scale).to(y.dtype.element_ty)
    weight = tl.load(w + at, mask=inside, other=0.0)
    tl.store(y + row * d + at, normal * weight, mask=inside)


def rms_norm(x, w, REPEAT=1):
    """x: [n, d] bfloat16, w: [d] bfloat16 -> [n, d] bfloat16; eps 1e-5, as Llama 3 has it."""
    y = torch.empty_like(x)
    d = x.shape[-1]
    rows = x.numel() // d
    block = triton.next_power_of_2(d)
    rms_norm_kernel[(rows,)](x, w, y, d, 1e-5, BLOCK=block, REPEAT=REPEAT, num_warps=8)
    return y


def swap(model, repeat):
    """Put this kernel in place of every RMSNorm of a model."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            weight = module.weight
            module.forward = lambda x, w=weight: rms_norm(x.contiguous(), w, repeat)
