"""A peer: FlashInfer's decode kernel, where the package is installed.

In: the definition's inputs and outputs. Out: nothing; the outputs are written. The kernel takes the
state K-last, as the definition has it, and updates it in place, so the old state is copied to where
the new one belongs first: a copy that callers who may lose the old state do not make.
Source: docs.flashinfer.ai, flashinfer.gdn_decode.gated_delta_rule_decode_pretranspose.
"""

from flashinfer.gdn_decode import gated_delta_rule_decode_pretranspose


def gdn_decode(q, k, v, state, A_log, a, dt_bias, b, scale, output, new_state):
    new_state.copy_(state)
    gated_delta_rule_decode_pretranspose(
        q, k, v, new_state, A_log, a, dt_bias, b, scale=scale, output=output, use_qk_l2norm=False
    )
