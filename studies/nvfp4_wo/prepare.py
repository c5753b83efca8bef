"""What solutions make of the weights before anything is timed, as a loader does with a model.

In: w [H, 3072] uint8 and scales [H/128, 96, 512] uint8, on the device that will use them. Out: the
tensors that the entries take instead. The decoding here is not the reference's: two that agree are
better evidence than one.
"""

import torch

GROUP = 16
MOST_ITEMS = 4  # Chosen: the study's largest batch is 3; cooperative.cu refuses more than this.
ROWS = 16  # wo.cu: rows of one tensor-core tile
WARPS = 12
LANES = 4  # lanes of a warp that share a row


def unpack(w):
    """Return the 4-bit codes [H, K] as uint8, in the order of k."""
    codes = w.new_empty(w.shape[0], w.shape[1], 2)
    codes[..., 0] = w & 0x0F
    codes[..., 1] = w >> 4
    return codes.flatten(1)


def unswizzle(scales):
    """Return the bytes of the scales [H, K/16], row by row."""
    rows, groups = 128 * scales.shape[0], 4 * scales.shape[1]
    m = torch.arange(rows, device=scales.device)[:, None]
    g = torch.arange(groups, device=scales.device)
    offset = ((m >> 7) * scales.shape[1] + (g >> 2)) * 512
    offset = offset + (m & 31) * 16 + ((m >> 5) & 3) * 4 + (g & 3)
    return scales.flatten()[offset]


def decode(codes):
    """Return float32 values of 4-bit codes: sign, two bits of exponent, one of mantissa."""
    exponent, mantissa = ((codes >> 1) & 3).int(), (codes & 1).float()
    # Exponent 0 is subnormal: no leading one, and the scale of exponent 1.
    value = (mantissa * 0.5 + (exponent > 0)) * torch.exp2(exponent.clamp_min(1) - 1.0)
    return torch.where(codes > 7, -value, value)


def unscaled(w, scales):
    """Return fp4 * scale [H, K] in float32: 6 bits of mantissa at most, so bfloat16 holds it."""
    scale = unswizzle(scales).view(torch.float8_e4m3fn).float()
    return (decode(unpack(w)).view(*scale.shape, GROUP) * scale[:, :, None]).flatten(1)


def dense(w, scales):
    """For torch's float32 matmul: dense [H, K] float32."""
    return {"dense": unscaled(w, scales)}


def dense_bfloat16(w, scales):
    """For torch's bfloat16 matmul: dense [H, K] bfloat16, without any rounding."""
    return {"dense": unscaled(w, scales).bfloat16()}


def workspace(w, scales, SPLIT):
    """For cooperative.cu: the weights as they are, slot sums, and the barrier's counter."""
    sums = torch.zeros(MOST_ITEMS, 4 * SPLIT, w.shape[0], device=w.device)
    arrived = torch.zeros(1, dtype=torch.int64, device=w.device)
    return {"w": w, "scales": scales, "sums": sums, "arrived": arrived}


def streamed(w, scales):
    """For wo.cu: what one warp reads lies together, in the order in which it is read.

    tiles: [H/16, 12, 4608] uint8. Of a warp: for each of 8 steps lane 4r + t's 16 bytes, the codes
        of row r and then of row r + 8, both of group t of the step's four; after all steps lane
        4r + t's 16 bytes, the scales of row r and row r + 8 for each step.
    """
    cuts = (len(w) // ROWS, 2, ROWS // 2, WARPS, -1, LANES)  # block, half, r, warp, step, t
    codes = w.view(*cuts, GROUP // 2).permute(0, 3, 4, 2, 5, 1, 6)
    scale = unswizzle(scales).view(cuts).permute(0, 3, 2, 5, 4, 1)
    return {"tiles": torch.cat([codes.flatten(2), scale.flatten(2)], dim=2)}
