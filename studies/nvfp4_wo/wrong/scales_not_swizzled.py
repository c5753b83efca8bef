"""Wrong: reads the scales row by row, as if they were not stored in 128x4 tiles."""

from prepare import GROUP, decode, unpack
from torch import float8_e4m3fn


def wo(attn, w, scales, global_scale):
    scale = scales.view(len(w), -1).view(float8_e4m3fn).float()  # wrong: not swizzled
    weight = decode(unpack(w)).view(*scale.shape, GROUP) * scale[:, :, None]
    return attn.float() @ weight.flatten(1).T * global_scale
