"""What solutions make of the weights before anything is timed, as a loader does with a model.

In: w [H, 3072] uint8 and scales [H/128, 96, 512] uint8, on the device that will use them. Out: the
tensors that the entries take instead. The decoding here is not the reference's: two that agree are
better evidence than one.
"""

import torch

GROUP = 16
MOST_ITEMS = 4  # Chosen: the study's largest batch is 3; cooperative.cu refuses more than this.
K = 6144
ROWS = 40  # wo.cu: of a CTA
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


def streamed(w, scales, WARPS, NEIGHBOURS):
    """For wo.cu: what one lane reads at a time lies together, in the order in which it is read.

    A CTA has 40 rows (zeros follow the last), a warp S = 96/WARPS steps of four groups. Lane 4r + t
    has group t of each step and rows r, r + 8, ... r + 32.

    codes: [CTA, unit, warp, 512] uint8, or [CTA, warp, unit, 512] without NEIGHBOURS: units of 16
        bytes a lane. 2S units: a step's codes of rows r and r + 8; then, for every step, of r + 16
        and r + 24. S/2 units: row r + 32 in two steps.
    lane_scales: [CTA, warp, 160 * S] uint8: for each lane 5S bytes in the order of its codes, cut
        into pieces of 16, 8, 4 and 2, every piece for all lanes.
    """
    steps = K // GROUP // WARPS // LANES
    cuts = (-1, ROWS // 8, 8, WARPS, steps, LANES)  # CTA, row / 8, r, warp, step, t
    w, scale = (_whole_shares(each) for each in (w, unswizzle(scales)))
    codes = _units(w.view(*cuts, GROUP // 2)).flatten(3)
    own = _units(scale.view(*cuts, 1)).transpose(2, 3).flatten(3)  # CTA, warp, lane, bytes
    codes = codes.transpose(1, 2).contiguous() if NEIGHBOURS else codes
    return {"codes": codes, "lane_scales": _in_pieces(own)}


def _whole_shares(x):
    return torch.nn.functional.pad(x, (0, 0, 0, -len(x) % ROWS))


def _units(x):
    """From [CTA, row / 8, r, warp, step, t, bytes] to [CTA, warp, unit, lane, bytes]."""
    pairs = x[:, :4].unflatten(1, (2, 2)).permute(0, 4, 1, 5, 3, 6, 2, 7)  # block step r t half
    rest = x[:, 4].unflatten(3, (-1, 2)).permute(0, 2, 3, 1, 5, 4, 6)  # two-steps r t step
    both = [each.flatten(-2).flatten(-3, -2).flatten(2, -3) for each in (pairs, rest)]
    return torch.cat(both, dim=2)


def _in_pieces(own):
    pieces, start = [], 0
    for size in (16, 16, 8, 4, 2):
        if start + size <= own.shape[3]:
            pieces.append(own[..., start : start + size].flatten(2))
            start += size
    return torch.cat(pieces, dim=2)
