"""The baseline: what a torch user writes first, in float32, one line per step of the formula.

In: the definition's inputs. Out: (output bfloat16, new_state float32), freshly allocated. No step
waits for the host, so a CUDA graph can capture it; the state crosses memory eight times.
"""

import torch
import torch.nn.functional as F


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    q = q.squeeze(1).float().repeat_interleave(2, dim=1)  # [B, 8, 128]
    k = k.squeeze(1).float().repeat_interleave(2, dim=1)
    v = v.squeeze(1).float()
    g = torch.exp(-A_log.exp() * F.softplus(a.squeeze(1).float() + dt_bias))  # [B, 8]
    beta = torch.sigmoid(b.squeeze(1).float())

    decayed = state * g[..., None, None]
    recalled = (decayed @ k[..., None]).squeeze(-1)  # [B, 8, V]
    delta = (v - recalled) * beta[..., None]
    new_state = decayed + delta[..., None] * k[..., None, :]
    output = (new_state @ q[..., None]).squeeze(-1) * scale
    return output[:, None].to(torch.bfloat16), new_state
