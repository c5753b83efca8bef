"""Wrong, subtly: the state is right, but the output is read before the update."""

import torch
import torch.nn.functional as F


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    q = q[:, 0].float().repeat_interleave(2, dim=1)
    k = k[:, 0].float().repeat_interleave(2, dim=1)
    g = torch.exp(-A_log.exp() * F.softplus(a[:, 0].float() + dt_bias))[..., None, None]
    beta = torch.sigmoid(b[:, 0].float())[..., None]
    decayed = g * state
    delta = beta * (v[:, 0].float() - torch.einsum("bhvk,bhk->bhv", decayed, k))
    new_state = decayed + delta[..., None] * k[..., None, :]
    output = scale * torch.einsum("bhvk,bhk->bhv", state, q)  # wrong: not new_state
    return output[:, None].to(torch.bfloat16), new_state
