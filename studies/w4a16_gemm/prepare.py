"""What each solution makes of the weights once, before anything is timed.

In: qweight [N, K/2] uint8 (column 2i in the low nibble of byte i), scales [N, K/128] float16. A
weight is (q - 8) * scale. Out: the tensors that the entry takes in their place.
"""

import torch

GROUP = 128  # columns that share a scale


def nibbles(qweight):
    """Return q: [N, K] int32 in 0 ... 15."""
    both = torch.stack((qweight & 15, qweight >> 4), dim=-1)
    return both.flatten(1).to(torch.int32)


def dequantised(qweight, scales, dtype):
    """Return the weights [N, K] in a floating dtype."""
    q = nibbles(qweight).to(dtype) - 8
    return (q.unflatten(1, (-1, GROUP)) * scales.to(dtype)[:, :, None]).flatten(1)


def widen(qweight, scales):
    """For a library's product: float16 where there are fast units for it, float32 on a host."""
    dtype = torch.float16 if qweight.is_cuda else torch.float32
    return {"weight": dequantised(qweight, scales, dtype)}


def halves(qweight, scales):
    """For triton_kernel.py: byte i of a group has its columns i and i + 64: x is read in runs."""
    q = nibbles(qweight).unflatten(1, (-1, 2, GROUP // 2))
    packed = (q[:, :, 0] | q[:, :, 1] << 4).to(torch.uint8)
    return {"packed": packed.flatten(1).contiguous(), "group_scales": scales.T.contiguous()}


def packed_words(q, order):
    """Return int32 words of eight nibbles; `q`'s last axes are [pair of columns, half, element].

    Nibble 4 (2 pair + half) + 16 element of a word: half 0 is row g, half 1 is row g + 8.
    """
    q = q.permute(*order)
    shift = torch.tensor([0, 4, 8, 12], device=q.device).view(2, 2, 1) + torch.tensor(
        [0, 16], device=q.device
    )
    words = (q.to(torch.int64) << shift).sum(dim=(-1, -2, -3))
    # The same 32 bits as a signed integer.
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32).contiguous()


def fragments(qweight, scales):
    """For cuda.cu: weights in the orders in which lanes hold tiles of tensor cores, and room.

    units: int32 [N/32, K/256, chunk 4, tile of rows 2, lane 32, tile of columns 4], flat. The two
        tiles 2h and 2h + 1 share 32 columns; lane 4g + t has 8t + 4j + (0, 1, 2, 3) in tile 2h + j.
    lane_scales: float16 [N/32, K/256, g 8, group 2, tile of rows 2, half 2], flat.
    blocks: uint8, for each 128 rows x 128 columns 8192 bytes of words [tile of rows 8, chunk 2,
        lane 32, tile of columns 4] and 256 of scales [tile of rows 8, g 8, half 2]; here lane
        4g + t has columns 2t, 2t + 1, 2t + 8, 2t + 9 of each tile of 16.
    parked, met: room for the sums of 132 blocks of 128 rows x 128 tokens; two counters for each.
    """
    n, k = qweight.shape[0], 2 * qweight.shape[1]
    q = nibbles(qweight)
    # Rows: tile of 32, r, half, g. Columns: unit, chunk, h, t, j, pair, element.
    few = q.view(n // 32, 2, 2, 8, k // 256, 4, 2, 4, 2, 2, 2)
    units = packed_words(few, (0, 4, 5, 1, 3, 7, 6, 8, 9, 2, 10))
    lane_scales = scales.view(n // 32, 2, 2, 8, k // 256, 2).permute(0, 4, 3, 5, 1, 2).contiguous()
    # Rows: block of 128, tile, half, g. Columns: block, chunk, tile, pair, t, element.
    more = q.view(n // 128, 8, 2, 8, k // 128, 2, 4, 2, 4, 2)
    words = packed_words(more, (0, 4, 1, 5, 3, 8, 6, 7, 2, 9))
    block_scales = scales.view(n // 128, 8, 2, 8, k // 128).permute(0, 4, 1, 3, 2).contiguous()
    tiles = n // 128 * (k // 128)
    blocks = torch.cat(
        (words.view(torch.uint8).view(tiles, -1), block_scales.view(torch.uint8).view(tiles, -1)),
        dim=1,
    )
    return {
        "units": units.flatten(),
        "lane_scales": lane_scales.flatten(),
        "blocks": blocks.flatten().contiguous(),
        "parked": torch.empty(132 * 128 * 128, dtype=torch.float32, device=q.device),
        "met": torch.zeros(2 * 132, dtype=torch.int32, device=q.device),
    }
