"""Wrong: never forgets, as if every gate g were 1."""

import torch


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    q = q[:, 0].float().repeat_interleave(2, dim=1)
    k = k[:, 0].float().repeat_interleave(2, dim=1)
    beta = torch.sigmoid(b[:, 0].float())[..., None]
    decayed = state  # wrong: not scaled by g
    delta = beta * (v[:, 0].float() - torch.einsum("bhvk,bhk->bhv", decayed, k))
    new_state = decayed + delta[..., None] * k[..., None, :]
    output = scale * torch.einsum("bhvk,bhk->bhv", new_state, q)
    return output[:, None].to(torch.bfloat16), new_state
