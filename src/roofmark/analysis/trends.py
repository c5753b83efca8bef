"""Trends: what memory did over time: its peak, whether it keeps rising, where nobody looked.

In: a `Timeline`. Out: `Course`. Between restarts (a fall by a quarter of the peak within one
reading) and gaps, each stretch has a slope of its own: Theil-Sen, the median over pairs of
readings, which neither a spike nor a start-up moves. A stretch is called rising only where its rise
is more than the log's own rounding can fake and goes on in each of its parts.
Source: P. K. Sen, J. Am. Stat. Assoc. 63 (1968).
"""

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from roofmark.analysis.stats import sig
from roofmark.foreign import Timeline
from roofmark.records import Missing, Record
from roofmark.units import Seconds

# Chosen: one late reading is no gap, two lost ones are.
GAP = 2.5
# Chosen: a program that ends gives back more than this part of the peak at once.
RESTART = 0.25
# Chosen: start-up fills caches and pools; what follows it is the steady state.
SETTLING = 0.25
# Chosen: below twenty readings parts of a stretch hold three each, and chance looks like a trend.
FEWEST = 20
PARTS = 4
# Chosen: a rise below 2 % of the peak over a whole stretch fills nothing in any run.
SMALLEST_RISE = 0.02
# Chosen: pairs of 400 readings are 80,000; more change a median by less than the log rounds.
MOST_POINTS = 400


class Gap(Record):
    """A stretch without readings. at: seconds since the first one."""

    at: Seconds
    length: Seconds


class Stretch(Record):
    """Readings without a restart or a gap between. slope: per second, once it has settled.

    rising: it goes up in every part, by more than rounding fakes: the mark of a leak.
    """

    begin: Seconds
    end: Seconds
    peak: float
    slope: float | Missing
    rising: bool


class Course(Record):
    """What one amount did. every: the median time between readings."""

    label: str
    unit: str
    readings: int
    span: Seconds
    every: Seconds
    first: float
    last: float
    low: float
    peak: float
    peak_at: Seconds
    gaps: tuple[Gap, ...]
    stretches: tuple[Stretch, ...]

    @property
    def leaks(self) -> tuple[Stretch, ...]:
        """The stretches that keep rising."""
        return tuple(each for each in self.stretches if each.rising)


def follow(line: Timeline) -> Course:
    """Return what an amount did over time."""
    steps = [b - a for a, b in pairwise(line.seconds)]
    every = median(steps) if steps else 0.0
    peak = max(line.values)
    return Course(
        label=line.label,
        unit=line.unit,
        readings=len(line.values),
        span=line.seconds[-1] - line.seconds[0],
        every=every,
        first=line.values[0],
        last=line.values[-1],
        low=min(line.values),
        peak=peak,
        peak_at=line.seconds[line.values.index(peak)],
        gaps=tuple(
            Gap(at=a, length=b - a) for a, b in pairwise(line.seconds) if b - a > GAP * every > 0
        ),
        stretches=tuple(_stretch(line, *each) for each in _stretches(line, every, peak)),
    )


def _stretches(line: Timeline, every: float, peak: float) -> Iterator[tuple[int, int]]:
    """Yield first and last index of what no restart and no gap interrupts."""
    begin = 0
    for at in range(1, len(line.values)):
        fell = line.values[at - 1] - line.values[at] > RESTART * peak
        apart = line.seconds[at] - line.seconds[at - 1] > GAP * every > 0
        if fell or apart:
            yield begin, at - 1
            begin = at
    yield begin, len(line.values) - 1


def _stretch(line: Timeline, begin: int, end: int) -> Stretch:
    settled = begin + round(SETTLING * (end + 1 - begin))
    seconds, values = line.seconds[settled : end + 1], line.values[settled : end + 1]
    enough = len(values) >= FEWEST
    slope = sig(_slope(seconds, values)) if enough else Missing(reason="too few readings")
    return Stretch(
        begin=line.seconds[begin],
        end=line.seconds[end],
        peak=max(line.values[begin : end + 1]),
        slope=slope,
        rising=enough and _rises(values, line),
    )


def _slope(seconds: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Return the median slope over pairs of at most `MOST_POINTS` readings."""
    every = -(-len(values) // MOST_POINTS)
    x, y = seconds[::every], values[::every]
    slopes = [
        (y[j] - y[i]) / (x[j] - x[i])
        for i in range(len(x))
        for j in range(i + 1, len(x))
        if x[j] > x[i]
    ]
    return median(slopes) if slopes else 0.0


def _rises(values: tuple[float, ...], line: Timeline) -> bool:
    """Whether each part lies above the one before, and the whole rise is no rounding."""
    size = len(values) / PARTS
    parts = [median(values[round(i * size) : round((i + 1) * size)]) for i in range(PARTS)]
    enough = max(2 * line.step, SMALLEST_RISE * max(line.values))
    return parts[-1] - parts[0] > enough and all(b > a for a, b in pairwise(parts))
