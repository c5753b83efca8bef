"""Triton: programs share out rows and columns; a second kernel adds up and rounds.

In: x [M, K] float16; packed [N, K/2] uint8, byte i of a group with columns i (low nibble) and
i + 64; group_scales [K/128, N] float16. Out: nothing; y [M, N] is written. With few tokens one
program for all columns of a row would spend its time waiting for one load after the other.
"""

import torch
import triton
import triton.language as tl

HALF = 64  # Source: half of the definition's group of 128 columns.


@triton.jit
def part_kernel(
    x, packed, group_scales, parts, M, N, K: tl.constexpr, GROUPS: tl.constexpr,
    ROWS: tl.constexpr, TOKENS: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    first = tl.program_id(2) * GROUPS
    byte = tl.arange(0, HALF)
    taken = tokens[None, :] < M
    total = tl.zeros((ROWS, TOKENS), dtype=tl.float32)
    for i in tl.static_range(GROUPS):
        group = first + i
        both = tl.load(packed + rows[:, None] * (K // 2) + group * HALF + byte[None, :])
        column = group * 2 * HALF + byte[:, None]
        low = tl.load(x + tokens[None, :] * K + column, mask=taken, other=0.0)
        high = tl.load(x + tokens[None, :] * K + column + HALF, mask=taken, other=0.0)
        scale = tl.load(group_scales + group * N + rows).to(tl.float32)
        part = tl.dot((both & 15).to(tl.float16) - 8, low)
        part = tl.dot((both >> 4).to(tl.float16) - 8, high, part)
        total += part * scale[:, None]
    place = (tl.program_id(2) * M + tokens[None, :]) * N + rows[:, None]
    tl.store(parts + place, total, mask=taken)


@triton.jit
def sum_kernel(parts, y, size, SPLIT: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for part in tl.static_range(SPLIT):
        total += tl.load(parts + part * size + at, mask=inside, other=0.0)
    tl.store(y + at, total.to(tl.float16), mask=inside)


def w4a16_gemm(x, packed, group_scales, y):
    M, K = x.shape
    N = y.shape[1]
    # Chosen: 4 groups for each program keep 8 loads of weights under way and give 1,024 programs
    # at N = 4096.
    groups, rows = 4, 32
    split = K // (2 * HALF * groups)
    tokens = min(64, max(16, triton.next_power_of_2(M)))
    parts = torch.empty((split, M, N), dtype=torch.float32, device=x.device)
    part_kernel[(N // rows, triton.cdiv(M, tokens), split)](
        x, packed, group_scales, parts, M, N, K=K, GROUPS=groups, ROWS=rows, TOKENS=tokens,
        HALF=HALF, num_warps=4,
    )  # fmt: skip
    sum_kernel[(triton.cdiv(M * N, 512),)](parts, y, M * N, SPLIT=split, BLOCK=512, num_warps=4)
