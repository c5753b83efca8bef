"""References: one float64 truth, and three fixed orders of float32 sums, each to the last bit.

In: `matmul` takes the definition's inputs, activations as float64; the others take them in their
own dtypes. Out: [B, H], float64 or float32. README.md says what each is for. Products and sums are
separate operations, because a fused multiply-add rounds once where these orders round twice.
Source: OCP Microscaling Formats 1.0 (E2M1, E4M3); CUTLASS 128x4 layout of scale factors.
"""

import torch

K = 6144  # Source: 24 attention heads of 256.
KV_GROUPS = 4  # Source: 24 query heads over 4 key/value heads; a slot stays inside 1536 columns.
GROUP = 16  # Source: NVFP4 has one scale for 16 elements.
FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # Source: E2M1; bit 3 negates.

LANES = 4  # lanes of wo.cu's warps that share a row


def matmul(attn, w, scales, global_scale):
    """What every solution is held to, within a tolerance; in float64, in any order."""
    values, scale = _values(w, torch.float64), _scales(scales).double()
    weight = values.view(len(w), -1, GROUP).mul_(scale[:, :, None]).view(len(w), K)
    return global_scale * (attn @ weight.T)


def chained(attn, w, scales, global_scale):
    """One float32 sum over all of k, from the first column to the last."""
    return _sums(attn.float(), _weights(w, scales, global_scale), 1)[:, 0]


def split_order(attn, w, scales, global_scale, SPLIT):
    """SPLIT slots in each key/value group, a sequential sum in each, slots left to right."""
    if K // KV_GROUPS % (GROUP * SPLIT):
        raise ValueError(f"SPLIT={SPLIT} does not cut {K // KV_GROUPS} columns into groups")
    return _left_to_right(_sums(attn.float(), _weights(w, scales, global_scale), KV_GROUPS * SPLIT))


def grouped_order(attn, w, scales, global_scale, WARPS):
    """Integers inside a group of 16, then float32 sums over steps, lanes and warps.

    From the outermost sum inwards: WARPS, then LANES, then steps.
    """
    whole, unit = _integers(attn.float().view(len(attn), -1, GROUP))
    codes = 2 * _values(w, torch.float32).view(len(w), -1, GROUP)
    scale = _scales(scales)
    steps = K // GROUP // (WARPS * LANES)
    rows = []
    for item in range(len(attn)):
        # Below 2^24 all along, so float32 holds every partial sum, in whatever order it comes.
        dots = (codes * whole[item]).sum(dim=2)
        terms = dots * (scale * unit[item])
        terms = terms.view(len(w), WARPS, steps, LANES)
        lanes = _left_to_right(terms.permute(0, 2, 1, 3))  # [H, WARPS, LANES]
        rows.append(
            _left_to_right((lanes[..., 0] + lanes[..., 1]) + (lanes[..., 2] + lanes[..., 3]))
        )
    return torch.stack(rows) * _single(global_scale)


def _integers(attn):
    """Return round(attn / unit), below 2^15, and half the unit of each group [B, K/16].

    The unit is the power of two that gives the group's largest element 15 bits. One bfloat16 step
    is added before its exponent is taken, so that the largest is at most 254 * 2^7.
    """
    top = attn.abs().amax(dim=2).view(torch.int32) + 0x10000
    # Chosen: below 2^-100 the scalings would leave float32's normal numbers.
    exponent = ((top >> 23) - 127).clamp_min(-100)
    whole = torch.round(attn * _power(14 - exponent)[:, :, None])
    return whole, _power(exponent - 15)


def _power(exponent):
    """2 ** exponent as float32, by its bits; exponent: int32 within -126 ... 127."""
    return ((exponent + 127) << 23).view(torch.float32)


def _left_to_right(terms):
    """Sum over dimension 1: ((first + second) + third) + ..."""
    total = terms[:, 0].clone()
    for index in range(1, terms.shape[1]):
        total += terms[:, index]
    return total


def _sums(attn, weights, slots):
    """Return [B, slots, H]: in each slot acc = acc + attn * weight, k upwards, two roundings."""
    activations = attn.view(len(attn), slots, -1, 1)
    weights = weights.view(slots, K // slots, -1)
    total = attn.new_zeros(len(attn), slots, weights.shape[2])
    product = torch.empty_like(total)
    for k in range(K // slots):
        torch.mul(activations[:, :, k], weights[:, k], out=product)
        total += product
    return total


def _weights(w, scales, global_scale):
    """Return [K, H] float32: (fp4 * scale), which is exact, times global_scale, rounded."""
    values = _values(w, torch.float32, by_k=True).view(-1, GROUP, len(w))
    return values.mul_(_scales(scales).T[:, None]).mul_(_single(global_scale)).view(K, len(w))


def _single(global_scale):
    return torch.tensor(global_scale, dtype=torch.float32)


def _values(w, dtype, *, by_k=False):
    """Return the E2M1 values [H, K], or [K, H]; element 2i is the low nibble of byte i."""
    codes = torch.stack((w & 15, w >> 4), dim=2).flatten(1)
    codes = codes.T.contiguous() if by_k else codes
    table = torch.tensor([*FP4, *(-value for value in FP4)], dtype=dtype, device=w.device)
    return table[codes.int()]


def _scales(scales):
    """Return the scales [H, K/16] as float32: tile, row % 32, row // 32 % 4, then group % 4."""
    tiles = scales.view(scales.shape[0], -1, 32, 4, 4).permute(0, 3, 2, 1, 4)
    return tiles.reshape(128 * len(scales), -1).view(torch.float8_e4m3fn).float()
