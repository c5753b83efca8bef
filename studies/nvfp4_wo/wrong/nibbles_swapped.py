"""Wrong: takes the high nibble of a byte for the earlier element."""

from prepare import unscaled


def wo(attn, w, scales, global_scale):
    swapped = (w << 4) | (w >> 4)  # wrong: element 2i is the low nibble
    return attn.float() @ unscaled(swapped, scales).T * global_scale
