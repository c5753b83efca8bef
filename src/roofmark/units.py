"""SI base units as types, and the one place where they are shown to people.

In: numbers in seconds, bytes, flop, hertz, ratios as 1.0. Out: annotated types that check and
document themselves wherever a record uses them, and `show`, which alone knows prefixes.

A type has an upper end too, far above what any machine will show: a file from a stranger may hold
1e308, and arithmetic on that is no arithmetic.
"""

from typing import Annotated

from msgspec import Meta


def _unit(symbol: str, meaning: str, most: float = 1e30) -> Meta:
    return Meta(ge=0, le=most, description=meaning, extra_json_schema={"unit": symbol})


# Source: the last second of the year 9999, the last that Python's calendar knows.
_LAST_MOMENT = 253_402_300_799.0
# Source: the largest integer of 64 bits.
_MOST = 2**63 - 1

Seconds = Annotated[float, _unit("s", "a duration in seconds", 1e9)]
Sample = Annotated[float, Meta(ge=0, le=1e18, description="seconds; bytes on the memory tier")]
Moment = Annotated[float, _unit("s", "UTC, in seconds since 1970", _LAST_MOMENT)]
Count = Annotated[int, _unit("1", "how many", _MOST)]
Some = Annotated[int, Meta(ge=1, le=_MOST, description="how many, and one at least")]
Bytes = Annotated[int, _unit("B", "a size or an amount of traffic in bytes", _MOST)]
Flops = Annotated[int, _unit("flop", "a count of floating-point operations", _MOST)]
Hertz = Annotated[float, _unit("Hz", "a frequency in hertz")]
Ratio = Annotated[float, _unit("1", "a ratio; 1.0 means equal")]
BytesPerSecond = Annotated[float, _unit("B/s", "a rate of traffic in bytes per second")]
FlopsPerSecond = Annotated[float, _unit("flop/s", "a rate of arithmetic in flop per second")]
Peak = Annotated[float, Meta(ge=1e-15, le=1e30, description="B/s, flop/s, or seconds")]
Watts = Annotated[float, _unit("W", "electrical power in watts", 1e9)]
Celsius = Annotated[float, Meta(ge=-1e6, le=1e6, extra_json_schema={"unit": "degC"})]

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_SMALL = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def show(value: float, unit: str) -> str:
    """Return `value` in `unit` ("s", "B", "B/s", "flop", "flop/s", "Hz", "1") as people read it.

    >>> show(1.234e-05, "s"), show(4.8e12, "B/s"), show(1.5, "1")
    ('12.34 µs', '4.80 TB/s', '1.500x')
    """
    if unit == "1":
        return f"{value:.3f}x"
    if unit == "s":
        scale, name = next((s for s in _SMALL if value >= s[0]), _SMALL[-1])
        return f"{_figures(value / scale)} {name}"
    scale, prefix = next((p for p in _PREFIXES if value >= p[0]), _PREFIXES[-1])
    return f"{_figures(value / scale)} {prefix}{unit}"


def show_percent(ratio: float) -> str:
    """Return a ratio's distance from 1.0 with its sign: 1.052 is "+5.2 %"."""
    return f"{(ratio - 1) * 100:+.1f} %"


def _figures(value: float) -> str:
    """Four significant figures below 1000, none lost above."""
    if value >= 100:
        return f"{value:.1f}" if value < 1000 else f"{value:.0f}"
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.3f}"
