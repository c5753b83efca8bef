"""Wrong: writes with full strength, as if every beta were 1."""

import torch
import torch.nn.functional as F


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    q = q[:, 0].float().repeat_interleave(2, dim=1)
    k = k[:, 0].float().repeat_interleave(2, dim=1)
    g = torch.exp(-A_log.exp() * F.softplus(a[:, 0].float() + dt_bias))[..., None, None]
    decayed = g * state
    delta = v[:, 0].float() - torch.einsum("bhvk,bhk->bhv", decayed, k)  # wrong: no beta
    new_state = decayed + delta[..., None] * k[..., None, :]
    output = scale * torch.einsum("bhvk,bhk->bhv", new_state, q)
    return output[:, None].to(torch.bfloat16), new_state
