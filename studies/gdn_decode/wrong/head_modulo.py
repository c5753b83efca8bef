"""Wrong: value head h reads query/key head h % 4 instead of h // 2."""

import torch
import torch.nn.functional as F


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    q = q[:, 0].float().repeat(1, 2, 1)  # wrong: 0 1 2 3 0 1 2 3, not 0 0 1 1 2 2 3 3
    k = k[:, 0].float().repeat(1, 2, 1)
    g = torch.exp(-A_log.exp() * F.softplus(a[:, 0].float() + dt_bias))[..., None, None]
    beta = torch.sigmoid(b[:, 0].float())[..., None]
    decayed = g * state
    delta = beta * (v[:, 0].float() - torch.einsum("bhvk,bhk->bhv", decayed, k))
    new_state = decayed + delta[..., None] * k[..., None, :]
    output = scale * torch.einsum("bhvk,bhk->bhv", new_state, q)
    return output[:, None].to(torch.bfloat16), new_state
