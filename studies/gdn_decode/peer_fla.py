"""A peer: flash-linear-attention's recurrent kernel, where the package is installed.

In: the definition's inputs. Out: output and new_state. The kernel takes the gates already computed
and the state as [K, V]; what it takes to bring ours there and back is part of the call, as it is
for whoever holds the state K-last.
Source: fla-org/flash-linear-attention, fla.ops.gated_delta_rule.
"""

import torch
from fla.ops.gated_delta_rule import fused_recurrent_gated_delta_rule


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    g = -A_log.exp() * torch.nn.functional.softplus(a.float() + dt_bias)  # log of the decay
    output, final = fused_recurrent_gated_delta_rule(
        q,
        k,
        v,
        g=g,
        beta=b.float().sigmoid(),
        scale=scale,
        initial_state=state.transpose(-1, -2).contiguous(),
        output_final_state=True,
        use_qk_l2norm_in_kernel=False,
    )
    return output, final.transpose(-1, -2).contiguous()
