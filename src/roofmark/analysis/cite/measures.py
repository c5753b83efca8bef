"""Units as people and tools print them, each with its dimension and its size.

In: "µs", "TB/s", "ms/token", "Kbyte/block". Out: a `Measure`, or None. A unit that is not known
stays None: a guess would turn a claim about one thing into a claim about another.
"""

import re
from typing import NamedTuple


class Measure(NamedTuple):
    """A dimension, and what one of the unit may be in its base unit (KB is 1000 or 1024 bytes)."""

    dimension: str
    scales: tuple[float, ...]


BASE = {
    "time": "s",
    "time per token": "s/token",
    "rate": "B/s",
    "size": "B",
    "arithmetic": "flop/s",
    "work": "flop",
    "frequency": "Hz",
    "power": "W",
    "temperature": "°C",
    "token rate": "token/s",
    "ratio": "1",
    "percent": "%",
    "points": "pp",
    "number": "",
    "fraction": "",
}
"""Dimension -> the unit in which its values are compared."""

_TIMES = {
    1e-9: ("ns", "nsecond", "nanosecond", "nanoseconds", "nsec"),
    1e-6: ("us", "usecond", "microsecond", "microseconds", "usec"),
    1e-3: ("ms", "msecond", "millisecond", "milliseconds", "msec"),
    1.0: ("s", "second", "seconds", "sec", "secs"),
    60.0: ("min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hour", "hours"),
}
_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_OTHERS = {
    "%": Measure("percent", (1.0,)),
    "percent": Measure("percent", (1.0,)),
    "pct": Measure("percent", (1.0,)),
    "pp": Measure("points", (1.0,)),
    "percentage points": Measure("points", (1.0,)),
    "x": Measure("ratio", (1.0,)),
    "×": Measure("ratio", (1.0,)),
    "W": Measure("power", (1.0,)),
    "mW": Measure("power", (1e-3,)),
    "kW": Measure("power", (1e3,)),
    "°C": Measure("temperature", (1.0,)),
}


def _table() -> dict[str, Measure]:
    table = dict(_OTHERS)
    for scale, names in _TIMES.items():
        for name in names:
            table[name] = Measure("time", (scale,))
            for token in ("token", "tok"):
                for per in ("/", " per "):
                    table[name + per + token] = Measure("time per token", (scale,))
    for prefix, scale in _PREFIXES.items():
        _add_prefixed(table, prefix, scale)
    for name in ("tok", "toks", "token", "tokens", "t"):
        for per in ("/s", "/sec", "/second", " per second"):
            table[name + per] = Measure("token rate", (1.0,))
    return table


def _add_prefixed(table: dict[str, Measure], prefix: str, scale: float) -> None:
    binary = 1024.0 ** {1.0: 0, 1e3: 1, 1e6: 2, 1e9: 3, 1e12: 4, 1e15: 5}[scale]
    either = tuple(dict.fromkeys((scale, binary)))
    for name in ("B", "byte", "bytes"):
        table[prefix + name] = Measure("size", either)
        table[f"{prefix}i{name}"] = Measure("size", (binary,))
        for per in ("/s", "/sec", "/second", "ps"):
            table[prefix + name + per] = Measure("rate", either)
            table[f"{prefix}i{name}{per}"] = Measure("rate", (binary,))
    for name in ("FLOP/s", "FLOPS", "FLOPs/s", "flop/s", "Flop/s", "FLOPs", "flops"):
        table[prefix + name] = Measure("arithmetic", (scale,))
    for name in ("FLOP", "flop"):
        table[prefix + name] = Measure("work", (scale,))
    for name in ("Hz", "hz"):
        table[prefix + name] = Measure("frequency", (scale,))


_MEASURES = _table()
_PATTERN = "|".join(re.escape(name) for name in sorted(_MEASURES, key=len, reverse=True))
# A unit ends where its word ends; a longer unit ("ms/token/layer") is another one.
_AFTER = re.compile(rf"(?P<space>[ \u00a0\u202f]?)(?P<unit>{_PATTERN})(?![\w°%/])(?!-[A-Za-z])")
_COMPOUND = re.compile(rf"[ \u00a0\u202f]?(?:{_PATTERN})/[A-Za-z]")
_HEADING = re.compile(rf"(?:[(\[,/ _]|^)(?P<unit>{_PATTERN})(?:[)\]\s,]|$)")
_SPEEDUP = re.compile(r"speed[- ]?up", re.IGNORECASE)
_PER_TOKEN = re.compile(r"(?:per|/)[- ]?tok(?:en)?\b", re.IGNORECASE)


def plain_units(text: str) -> str:
    """Return a text of the same length in which both signs for micro are "u" before an s."""
    return re.sub("[µμ](?=s)", "u", text)


def measure_of(unit: str) -> Measure | None:
    """Return what a unit is, None if it is not known.

    >>> measure_of("GHz"), measure_of("furlong")
    (Measure(dimension='frequency', scales=(1000000000.0,)), None)
    """
    return _MEASURES.get(plain_units(unit.strip()))


def unit_after(text: str, at: int) -> tuple[str, int]:
    """Return the unit that begins at `at` (after one space at most) and where it ends.

    Returns "?" for a unit that is longer than any known one, and "" where there is none.
    """
    if _COMPOUND.match(text, at) and not _AFTER.match(text, at):
        return "?", at
    found = _AFTER.match(text, at)
    if not found:
        return "", at
    # "27B" is a model's size and "2 x 4" a product; neither is a unit.
    if found["unit"] == "B" and not found["space"]:
        return "?", at
    if found["unit"] in ("x", "×") and re.match(r"\s*\d", text[found.end() : found.end() + 8]):
        return "", at
    return found["unit"], found.end()


def unit_of_heading(heading: str) -> str:
    """Return the unit that a column's heading names: "(µs)", "mean_us", "Speedup vs A".

    >>> unit_of_heading("Mean elapsed (µs)"), unit_of_heading("total_ms"), unit_of_heading("Grid")
    ('us', 'ms', '')
    """
    text = plain_units(heading.replace("`", " ").replace("*", " "))
    if _SPEEDUP.search(text):
        return "x"
    found = [each["unit"] for each in _HEADING.finditer(text)]
    # A single letter in a heading is more often a name than a unit, unless brackets say so.
    sure = [u for u in found if len(u) > 1 or u == "%" or f"({u})" in text or f"_{u}" in text]
    if not sure:
        return ""
    unit = sure[-1]
    per_token = f"{unit}/token"
    return per_token if per_token in _MEASURES and _PER_TOKEN.search(text) else unit
