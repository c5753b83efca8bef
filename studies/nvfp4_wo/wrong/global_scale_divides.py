"""Wrong: divides by the global scale, as the checkpoint's own (reciprocal) scale would."""

from prepare import unscaled


def wo(attn, w, scales, global_scale):
    return attn.float() @ unscaled(w, scales).T / global_scale  # wrong: it multiplies
