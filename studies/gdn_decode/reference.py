"""The reference: the gated delta rule, one token, step by step as the paper writes it.

In: the definition's inputs, converted to float64 by the referee. Out: (output, new_state) in the
same dtype. It is written to be read next to README.md, not to be fast.
Source: Yang, Kautz, Hatamizadeh, "Gated Delta Networks", 2024, equation 10.
"""

import torch
from torch.nn.functional import softplus

V_HEADS_PER_K_HEAD = 2  # Source: the operator's 8 value heads over 4 query/key heads.


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    q = q[:, 0].repeat_interleave(V_HEADS_PER_K_HEAD, dim=1)  # [B, 8, K]: value head h reads h // 2
    k = k[:, 0].repeat_interleave(V_HEADS_PER_K_HEAD, dim=1)
    v = v[:, 0]  # [B, 8, V]
    decay = torch.exp(-torch.exp(A_log) * softplus(a[:, 0] + dt_bias))  # [B, 8], in (0, 1)
    beta = torch.sigmoid(b[:, 0])  # [B, 8], in (0, 1)

    decayed = decay[:, :, None, None] * state  # forget
    recalled = torch.einsum("bhvk,bhk->bhv", decayed, k)  # what the memory holds under this key
    delta = beta[:, :, None] * (v - recalled)  # how far that is from the value to be stored
    new_state = decayed + torch.einsum("bhv,bhk->bhvk", delta, k)  # write the difference
    output = scale * torch.einsum("bhvk,bhk->bhv", new_state, q)  # read under the query
    return output[:, None], new_state
