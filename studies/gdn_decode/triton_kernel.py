"""Triton: one program per value head and slice of V; the state tile never leaves the registers.

In: the definition's inputs and outputs. Out: nothing; the outputs are written. A tile [ROWS, 128]
is loaded once, used for both dot products and for the update, and stored once. The file is not
called triton.py, so that no import of it can be mistaken for the package.
"""

import triton
import triton.language as tl

V_HEADS, DIM = 8, 128  # Source: the definition.


@triton.jit
def gdn_decode_kernel(
    q, k, v, state, A_log, a, dt_bias, b, scale, output, new_state,
    ROWS: tl.constexpr, V_HEADS: tl.constexpr, DIM: tl.constexpr,
):  # fmt: skip
    # int64: at B = 4096 the state has more elements than an int32 can count.
    item = tl.program_id(0).to(tl.int64)  # batch * 8 + value head
    head = item % V_HEADS
    rows = item * DIM + tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, DIM)
    tile = rows[:, None] * DIM + columns[None, :]

    # The long load first: everything small below arrives while it is under way.
    # Nobody reads the old state again, so its lines may leave the cache first.
    old = tl.load(state + tile, eviction_policy="evict_first")
    # Value heads 2j and 2j + 1 share key head j, so item // 2 is batch * 4 + j.
    k_row = tl.load(k + item // 2 * DIM + columns).to(tl.float32)
    q_row = tl.load(q + item // 2 * DIM + columns).to(tl.float32)
    value = tl.load(v + rows).to(tl.float32)
    x = tl.load(a + item).to(tl.float32) + tl.load(dt_bias + head)
    # log(1 + exp(x)) without overflow for large x.
    softplus = tl.maximum(x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x)))
    decay = tl.exp(-tl.exp(tl.load(A_log + head)) * softplus)
    beta = 1.0 / (1.0 + tl.exp(-tl.load(b + item).to(tl.float32)))

    k_state = tl.sum(old * k_row[None, :], axis=1)
    q_state = tl.sum(old * q_row[None, :], axis=1)
    delta = beta * (value - decay * k_state)
    read = scale * (decay * q_state + tl.sum(q_row * k_row, axis=0) * delta)
    new = decay * old + delta[:, None] * k_row[None, :]
    tl.store(new_state + tile, new, eviction_policy="evict_first")
    tl.store(output + rows, read.to(output.dtype.element_ty))


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale, output, new_state):
    items = state.shape[0] * V_HEADS
    # Chosen: by arithmetic, not by tuning. 8 rows give 128 programs at B = 1, one per
    # multiprocessor of a Hopper; from B = 4 on 32 rows (16 KB) do, and repeat k and q less often.
    rows, warps = (8, 1) if items < 32 else (32, 4)
    gdn_decode_kernel[(items, DIM // rows)](
        q, k, v, state, A_log, a, dt_bias, b, scale, output, new_state,
        ROWS=rows, V_HEADS=V_HEADS, DIM=DIM, num_warps=warps,
    )  # fmt: skip
