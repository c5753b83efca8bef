"""A peer: flash-linear-attention's recurrent kernel, where the package is installed.

In: the definition's inputs. Out: output and new_state. Asked for in the way that costs it least: it
computes the gates itself and takes the state V-first, as it lies here (fla-core 0.6 or newer).
Source: fla-org/flash-linear-attention, fla.ops.gated_delta_rule.
"""

from fla.ops.gated_delta_rule import fused_recurrent_gated_delta_rule


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale):
    return fused_recurrent_gated_delta_rule(
        q,
        k,
        v,
        g=a,
        beta=b,
        scale=scale,
        initial_state=state,
        output_final_state=True,
        use_gate_in_kernel=True,
        A_log=A_log,
        dt_bias=dt_bias,
        use_beta_sigmoid_in_kernel=True,
        state_v_first=True,
    )
