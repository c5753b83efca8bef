"""Wrong: rounds the scaled weights to bfloat16, as a loader that unpacks into the model's dtype."""

from prepare import unscaled


def wo(attn, w, scales, global_scale):
    weight = (unscaled(w, scales) * global_scale).bfloat16()  # wrong: 10 bits into 8
    return attn.float() @ weight.float().T
