"""Triton: a program makes a few rows of y for all tokens, one group of 128 columns at a time.

In: x [M, K] float16; packed [N, K/2] uint8, byte i of a group with columns i (low nibble) and
i + 64; group_scales [K/128, N] float16. Out: nothing; y [M, N] is written.
"""

import triton
import triton.language as tl

HALF = 64  # Source: half of the definition's group of 128 columns.


@triton.jit
def w4a16_kernel(
    x, packed, group_scales, y, M, N, K: tl.constexpr,
    ROWS: tl.constexpr, TOKENS: tl.constexpr, HALF: tl.constexpr, GROUPS: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    byte = tl.arange(0, GROUPS * HALF)
    group = byte // HALF
    column = group * 2 * HALF + byte % HALF
    taken = tokens[None, :] < M
    total = tl.zeros((ROWS, TOKENS), dtype=tl.float32)
    for first in range(0, K // (2 * HALF), GROUPS):
        # Several groups at a time: their loads are under way together.
        both = tl.load(packed + rows[:, None] * (K // 2) + (first * HALF + byte)[None, :])
        scale = tl.load(group_scales + (first + group)[None, :] * N + rows[:, None])
        at = tokens[None, :] * K + (first * 2 * HALF + column)[:, None]
        low = tl.load(x + at, mask=taken, other=0.0)
        high = tl.load(x + at + HALF, mask=taken, other=0.0)
        total = tl.dot(((both & 15).to(tl.float16) - 8) * scale, low, total)
        total = tl.dot(((both >> 4).to(tl.float16) - 8) * scale, high, total)
    tl.store(y + tokens[None, :] * N + rows[:, None], total.to(tl.float16), mask=taken)


def w4a16_gemm(x, packed, group_scales, y):
    M, K = x.shape
    N = y.shape[1]
    # Chosen: 16 rows give every multiprocessor of a Hopper two programs at N = 4096; with more
    # tokens 32 rows share what is read of x.
    rows, groups = (16, 8) if M <= 16 else (32, 2)
    tokens = min(64, max(16, triton.next_power_of_2(M)))
    w4a16_kernel[(N // rows, triton.cdiv(M, tokens))](
        x, packed, group_scales, y, M, N, K=K, ROWS=rows, TOKENS=tokens, HALF=HALF,
        GROUPS=groups, num_warps=4 if M <= 16 else 8, num_stages=2,
    )  # fmt: skip
