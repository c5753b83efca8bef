"""Takes its output as an argument and leaves it as it is.

class: 32 no-op over a stale buffer
refused: RM503
also: RM513
device: both
"""


def mix(x, w, room, y):
    pass
