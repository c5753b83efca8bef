"""Returns its input.

class: 32 pass-through
refused: RM503
also: RM515
device: both
"""


def mix(x, w, room):
    return x.clone()
