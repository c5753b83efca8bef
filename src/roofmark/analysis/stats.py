"""Statistics: intervals and p-values over process statistics, honest at every planned look.

In: numbers. Out: numbers; nothing here knows a trace. One process gives one number (the median over
its blocks of the paired log ratio), so n counts processes. For process statistics d_1..d_n

    mean +- (t(1 - a/2, n - 1) * error + blur),   a = (1 - level) / looks,
    error = max(s, within, floor) / sqrt(n)

`looks` is the number of times at which the stopping rule may look (from the fewest processes to
the most, one by one); splitting the level evenly over them keeps the interval valid whenever the
run stops. `within` is the part of s that the blocks of a process explain already, `floor` what the
A/A twin showed; both stop a chance agreement of few processes from passing as precision. `blur` is
what a coarse clock can hide, which no number of processes averages away. Where several stations
measured, their own effects are random, and `widen` has its say (stations.py).
Source: Student's t; Bonferroni's inequality over looks, compared with the alternatives in
docs/decisions/sequential-intervals.md.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Literal, Protocol, runtime_checkable

from scipy.special import stdtr, stdtrit

Zone = Literal["faster", "slower", "same"]

# Source: the median of m normal values has a variance of pi/2 times that of their mean.
MEDIAN_FACTOR = math.sqrt(math.pi / 2)
# Source: the distance of two normal values has a median of 0.6745 * sqrt(2) deviations.
DEVIATION_PER_DISTANCE = 1 / (0.6744897501960817 * math.sqrt(2))
# Chosen: half the digits of a double are far above what two mathematical libraries differ by, and
# far below what any clock resolves.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean of n process statistics, its standard error, and the clock's blur.

    freedom: of the error, in degrees; n - 1 unless stations are the sample.
    """

    mean: float
    error: float
    blur: float
    n: int
    freedom: float


@runtime_checkable
class Widened(Protocol):
    """Block statistics that know more of their error than processes alone tell."""

    def widen(self, plain: Summary, within: float) -> Summary:
        """Return the summary with that error. within: deviation that blocks or the twin explain."""
        ...


def sig(value: float) -> float:
    """Return `value` with six significant digits, equal on every machine."""
    return float(f"{value:.{DIGITS - 1}e}") + 0.0


def mean(values: Sequence[float]) -> float:
    """Return the mean, summed exactly."""
    return math.fsum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation; 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1))


def rms(values: Sequence[float]) -> float:
    """Return the root mean square: the spread of values whose true mean is known to be 0."""
    return math.sqrt(math.fsum(v * v for v in values) / len(values)) if values else 0.0


def spread_within(blocks: Iterable[Sequence[float]]) -> float:
    """Return the deviation that a process statistic has from the noise of its own blocks alone.

    The noise of a block is taken from the median distance of two blocks of one process: a median
    over blocks does not feel a rare wild one, so its floor must not either.
    Source: M. I. Shamos (1976); P. J. Rousseeuw, C. Croux, J. Am. Stat. Assoc. 88 (1993).
    """
    groups = [group for group in blocks if len(group) > 1]
    if not groups:
        return 0.0
    distances = [abs(a - b) for group in groups for a, b in combinations(group, 2)]
    size = mean([len(group) for group in groups])
    return MEDIAN_FACTOR * median(distances) * DEVIATION_PER_DISTANCE / math.sqrt(size)


def summarise(
    blocks: Sequence[Sequence[float]], *, floor: float = 0.0, blur: float = 0.0
) -> Summary:
    """Summarise block statistics, one sequence per process.

    floor: least standard deviation of a process statistic. Raises: ValueError without a process.
    """
    if not blocks:
        raise ValueError("no process to summarise")
    values, n = [median(group) for group in blocks], len(blocks)
    within = max(spread_within(blocks), floor)
    spread = max(deviation(values), within)
    plain = Summary(mean(values), spread / math.sqrt(n), blur, n, n - 1)
    return blocks.widen(plain, within) if isinstance(blocks, Widened) else plain


def interval(summary: Summary, *, level: float, looks: int) -> tuple[float, float]:
    """Return the interval that is valid at each of `looks` looks. Raises: ValueError for n < 2."""
    if summary.n < 2:
        raise ValueError("an interval needs two processes")
    quantile = float(stdtrit(summary.freedom, 1 - (1 - level) / (2 * looks)))
    half = quantile * summary.error + summary.blur
    return summary.mean - half, summary.mean + half


def classify(summary: Summary, *, margin: float, looks: int) -> tuple[Zone, float]:
    """Return the zone of the mean log ratio, and the least level at which the interval fits it.

    The zones are above log(1 + margin), below -log(1 + margin), and between.
    """
    border = math.log1p(margin)
    distance = abs(abs(summary.mean) - border) - summary.blur
    zone: Zone = "same"
    if abs(summary.mean) > border:
        zone = "faster" if summary.mean > 0 else "slower"
    return zone, min(1.0, looks * _two_sided(distance, summary))


def _two_sided(distance: float, summary: Summary) -> float:
    if distance <= 0 or summary.n < 2:
        return 1.0
    if summary.error == 0:
        return 0.0
    return 2 * float(stdtr(summary.freedom, -distance / summary.error))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for being many, in the order given.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6
    (1979); valid under any dependence.
    """
    corrected = [1.0] * len(p)
    so_far = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        so_far = max(so_far, min(1.0, p[index] * (len(p) - rank)))
        corrected[index] = so_far
    return corrected


def hidden_by_clock(spans: Sequence[float], resolution: float) -> float:
    """Return the relative error that a clock of this resolution can hide in the centre of `spans`.

    A reading is off by up to half a tick. Noise of more than half a tick spreads readings over
    several ticks, and averages see through them; quieter series keep the error as a bias.
    """
    if deviation(spans) >= resolution / 2:
        return 0.0
    return resolution / 2 / median(spans)


def line_p(values: Sequence[float]) -> tuple[float, float]:
    """Return the slope of values over their index, and the two-sided p of its t-test."""
    n = len(values)
    at = [i - (n - 1) / 2 for i in range(n)]
    centre = mean(values)
    slope = math.fsum(x * (v - centre) for x, v in zip(at, values, strict=True))
    slope /= math.fsum(x * x for x in at)
    rest = math.fsum((v - centre - slope * x) ** 2 for x, v in zip(at, values, strict=True))
    if rest == 0 or n < 3:
        return slope, 0.0 if slope and n > 2 else 1.0
    error = math.sqrt(rest / (n - 2) / math.fsum(x * x for x in at))
    return slope, 2 * float(stdtr(n - 2, -abs(slope) / error))


def split_in_two(values: Sequence[float]) -> tuple[float, float, int]:
    """Split at the best place into two groups of two or more.

    Returns (distance between the group means, deviation within the groups, size of the lower one).
    """
    ordered = sorted(values)
    n = len(ordered)
    best = min(range(2, n - 1), key=lambda k: _within(ordered[:k]) + _within(ordered[k:]))
    low, high = ordered[:best], ordered[best:]
    scatter = math.sqrt((_within(low) + _within(high)) / (n - 2))
    return mean(high) - mean(low), scatter, best


def _within(values: Sequence[float]) -> float:
    centre = mean(values)
    return math.fsum((v - centre) ** 2 for v in values)
