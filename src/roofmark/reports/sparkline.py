"""A chart of one line of text: how a number went, oldest first, and where something happened.

In: values with marks. Out: two lines, of which the second holds the marks below the first.
"""

import math
from collections.abc import Sequence
from statistics import median

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(values: Sequence[float | None], marks: Sequence[str], width: int) -> tuple[str, str]:
    """Return bars on a logarithmic scale from least to most, and the marks below them.

    values: None where there is no number. marks: one character each, "" for none. Where there are
    more values than `width`, each bar is the median of its share, with the last mark in it.
    """
    shares = _shares(len(values), width)
    heights = [_middle(values[a:b]) for a, b in shares]
    known = [each for each in heights if each is not None]
    if not known:
        return _GAP * len(shares), ""
    low, high = min(known), max(known)
    bars = "".join(_GAP if each is None else _bar(each, low, high) for each in heights)
    below = "".join(next((m for m in reversed(marks[a:b]) if m), " ") for a, b in shares)
    return bars, below.rstrip()


def _shares(count: int, width: int) -> list[tuple[int, int]]:
    wide = min(count, width)
    return [(i * count // wide, (i + 1) * count // wide) for i in range(wide)]


def _middle(values: Sequence[float | None]) -> float | None:
    known = [math.log(each) for each in values if each is not None and each > 0]
    return median(known) if known else None


def _bar(value: float, low: float, high: float) -> str:
    # Chosen: changes of less than 1 % in all are drawn as level, not as the wildest ups and downs.
    span = max(high - low, 0.01)
    return _BARS[min(len(_BARS) - 1, int((value - low) / span * len(_BARS)))]
