"""How single values are written on every page: ratios, times, texts from outside.

In: estimates, roofs, strings. Out: short strings. Units come from `roofmark.units.show`; a ratio is
written with as many decimals as its interval can carry, and no more.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from roofmark.analysis.verdict import Estimate, Roof
from roofmark.records import Missing
from roofmark.study import Tier
from roofmark.terminal_text import plain, plain_line
from roofmark.units import show

NOTHING = "–"
"""Stands where there is no number; the reason stands beside it or among the findings."""
# Line and paragraph separators, and characters that take no room: all can fake a line or a name.
_INVISIBLE = re.compile("[\u061c\u200b-\u200f\u2028\u2029\u2060-\u2064\ufeff]")
# Chosen: two decimals are what people compare; four are more than any honest interval carries.
_FEWEST, _MOST = 2, 4
# Chosen: several times the longest reason that any tool of ours gives; pages stay pages.
_LONGEST = 2000


def one_line(text: str) -> str:
    """Return a text from outside as one line without control or invisible characters."""
    return " ".join(plain(_INVISIBLE.sub(" ", shorten(text, _LONGEST))).split())


def lines_text(lines: Iterable[str]) -> str:
    """Return lines as a text; what strangers wrote in one of them begins no other."""
    return "\n".join(map(plain_line, lines)) + "\n"


def shorten(text: str, length: int) -> str:
    """Return a text cut to `length` characters, with a mark that says so."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def decimals_for(low: float, high: float) -> int:
    """Return how many decimals an interval carries: its width shows in one or two digits."""
    width = high - low
    if width <= 0:
        return _FEWEST
    return max(_FEWEST, min(_MOST, math.ceil(0.5 - math.log10(width))))


def ratio(estimate: Estimate | Missing) -> str:
    """Return "3.42x", or a dash."""
    if isinstance(estimate, Missing):
        return NOTHING
    return f"{estimate.value:.{decimals_for(estimate.low, estimate.high)}f}x"


def interval(estimate: Estimate | Missing, *, between: str = " to ") -> str:
    """Return "3.38 to 3.46", or a dash."""
    if isinstance(estimate, Missing):
        return NOTHING
    digits = decimals_for(estimate.low, estimate.high)
    return f"{estimate.low:.{digits}f}{between}{estimate.high:.{digits}f}"


def ratio_and_interval(estimate: Estimate | Missing) -> str:
    """Return "3.42x [3.38, 3.46]", or a dash."""
    if isinstance(estimate, Missing):
        return NOTHING
    return f"{ratio(estimate)} [{interval(estimate, between=', ')}]"


def seconds(estimate: Estimate | Missing) -> str:
    """Return a time with its unit, or a dash."""
    return NOTHING if isinstance(estimate, Missing) else show(estimate.value, "s")


def cost(estimate: Estimate | Missing, tier: Tier) -> str:
    """Return a cost as people name it: a time, tokens per second, or bytes of memory."""
    if not isinstance(estimate, Missing) and tier in ("token", "output"):
        return f"{1 / estimate.value:,.1f} tok/s"
    if not isinstance(estimate, Missing) and tier == "memory":
        return show(estimate.value, "B")
    return seconds(estimate)


def headroom(roof: Roof | Missing) -> str:
    """Return how far above its floor a time stands, and what sets that floor."""
    return NOTHING if isinstance(roof, Missing) else f"{roof.headroom:.2f}x {roof.limit}"


def date_of(started: float | Missing) -> str:
    """Return seconds since 1970 as a date, UTC; what no calendar holds is unknown."""
    if isinstance(started, Missing):
        return "unknown"
    try:
        return datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return "unknown"


def percent(part: float) -> str:
    """Return a part of 1 as "2.0 %"."""
    return f"{100 * part:.1f} %"


def counted(number: int, noun: str) -> str:
    """Return "1 finding", "2 findings", "2 processes"."""
    plural = "es" if noun.endswith(("s", "ch")) else "s"
    return f"{number} {noun}" + ("" if number == 1 else plural)


def joined(parts: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def shape_of(workload: str) -> str:
    """Return a workload's name without its seed: "B8-s3" is "B8" drawn another time."""
    head, mark, seed = workload.rpartition("-s")
    return head if mark and seed.isdigit() else workload


def place_on_log(value: float, span: Sequence[float]) -> float:
    """Return where a ratio stands on a logarithmic axis from span[0] to span[1], in per cent."""
    low, high = (math.log(end) for end in span)
    return round(100 * min(max((math.log(value) - low) / (high - low), 0.0), 1.0), 2)


def sentence(text: str) -> str:
    """Return the text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def aligned(head: list[str], rows: list[list[str]]) -> Iterable[str]:
    """Yield lines whose columns stand below one another; numbers right, the last column left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        *numbers, name = row
        cells = [f"{text:>{width}}" for text, width in zip(numbers, widths, strict=False)]
        yield "  ".join([*cells, name])
