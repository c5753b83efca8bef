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
    ROWS: tl.constexpr, TOKENS: tl.constexpr, HALF: tl.constexpr, AT_ONCE: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tokens = tl.program_id(1) * TOKENS + tl.arange(0, TOKENS)
    byte = tl.arange(0, HALF)
    taken = tokens[None, :] < M
    total = tl.zeros((ROWS, TOKENS), dtype=tl.float32)
    for first in range(0, K // (2 * HALF), AT_ONCE):
        # Unrolled, so that the loads of several groups are under way together.
        for i in tl.static_range(AT_ONCE):
            group = first + i
            both = tl.load(packed + rows[:, None] * (K // 2) + group * HALF + byte[None, :])
            column = group * 2 * HALF + byte[:, None]
            low = tl.load(x + tokens[None, :] * K + column, mask=taken, other=0.0)
            high = tl.load(x + tokens[None, :] * K + column + HALF, mask=taken, other=0.0)
            scale = tl.load(group_scales + group * N + rows).to(tl.float32)
            part = tl.dot((both & 15).to(tl.float16) - 8, low)
            part = tl.dot((both >> 4).to(tl.float16) - 8, high, part)
            total += part * scale[:, None]
    tl.store(y + tokens[None, :] * N + rows[:, None], total.to(tl.float16), mask=taken)


def w4a16_gemm(x, packed, group_scales, y):
    M, K = x.shape
    N = y.shape[1]
    # Chosen: 16 rows give every multiprocessor of a Hopper two programs at N = 4096; more tokens
    # than 64 would not fit the registers beside the weights.
    rows = 16 if M <= 16 else 32
    tokens = min(64, max(16, triton.next_power_of_2(M)))
    w4a16_kernel[(N // rows, triton.cdiv(M, tokens))](
        x, packed, group_scales, y, M, N, K=K, ROWS=rows, TOKENS=tokens, HALF=HALF,
        AT_ONCE=8 if tokens == 16 else 2, num_warps=4, num_stages=2,
    )  # fmt: skip
