"""Text from outside, made safe for a terminal.

In: any string, a hostile one too. Out: the same without control characters: an escape sequence in
a solution's name or in a log could repaint the verdict above it.
"""

import re

# C0 and C1 controls except newline and tab, and the characters that reorder a line.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return `text` with each control character shown as a visible mark."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
