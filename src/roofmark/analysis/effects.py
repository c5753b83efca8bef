"""Effects: a difference between two groups of runs, with what a run adds by itself.

In: per run the mean of a logarithm over processes, its error and the clock's blur. Out: `Effect`,
its interval and its p.

A run has an effect of its own (memory it was given, clocks, neighbours), and so has a host. Runs
are therefore the samples, and hosts where there are several; processes only say how well each is
known. With units u of side A and B, m their means, v their variances from processes:

    four units or more in all:  s^2 = max(pooled variance of m, mean of v),
        error^2 = s^2 (1/a + 1/b), degrees of freedom a + b - 2
    else:  error^2 = sum(v)/a^2 + sum(v)/b^2 + c^2 (1/a + 1/b), c a stated constant, degrees of
        freedom after Welch and Satterthwaite

Source: one-way random effects; B. L. Welch, Biometrika 34 (1947).
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from roofmark.analysis.stats import deviation, mean
from roofmark.analysis.summaries import Level
from roofmark.records import Missing


@dataclass(frozen=True)
class Effect:
    """A difference of mean logarithms, with what is needed for its interval."""

    mean: float
    error: float
    blur: float
    freedom: float
    n: int


def units_of(levels: Sequence[tuple[str, Level | Missing]], *, by_host: bool) -> Iterator[Level]:
    """Yield one level per run, or the mean of the runs of each host."""
    grouped: dict[str, list[Level]] = defaultdict(list)
    for index, (host, level) in enumerate(levels):
        if isinstance(level, Level):
            grouped[host if by_host else str(index)].append(level)
    for group in grouped.values():
        yield Level(
            mean=mean([each.mean for each in group]),
            error=math.sqrt(math.fsum(each.error**2 for each in group)) / len(group),
            blur=max(each.blur for each in group),
            n=sum(each.n for each in group),
        )


def measure_effect(a: Sequence[Level], b: Sequence[Level]) -> Effect:
    """Return A minus B with the variance between units as they themselves show it."""
    freedom = len(a) + len(b) - 2
    squares = math.fsum(deviation([u.mean for u in s]) ** 2 * (len(s) - 1) for s in (a, b))
    # What the processes leave open is a floor: few runs that agree by chance are not precision.
    variance = max(squares / freedom, mean([u.error**2 for u in (*a, *b)]))
    error = math.sqrt(variance * (1 / len(a) + 1 / len(b)))
    return _effect_of(a, b, error, freedom)


def assume_effect(a: Sequence[Level], b: Sequence[Level], constant: float) -> Effect:
    """Return A minus B; constant: the deviation between units, as a logarithm."""
    parts = [(u.error**2 / len(side) ** 2, u.n - 1) for side in (a, b) for u in side]
    variance = math.fsum(v for v, _ in parts) + constant**2 * (1 / len(a) + 1 / len(b))
    doubt = math.fsum(v**2 / n for v, n in parts)
    # Chosen: a normal quantile is met at any large number; the constant has no freedom to lose.
    freedom = min(1e6, variance**2 / doubt) if doubt else 1e6
    return _effect_of(a, b, math.sqrt(variance), freedom)


def _effect_of(a: Sequence[Level], b: Sequence[Level], error: float, freedom: float) -> Effect:
    return Effect(
        mean=mean([u.mean for u in a]) - mean([u.mean for u in b]),
        error=error,
        blur=max(u.blur for u in a) + max(u.blur for u in b),
        freedom=freedom,
        n=len(a) + len(b),
    )


def p_of(effect: Effect, margin: float) -> float:
    """Return the least level at which the interval fits one zone.

    It is not split over looks: the rule that stopped a run saw nothing of the other runs.
    """
    distance = abs(abs(effect.mean) - math.log1p(margin)) - effect.blur
    if distance <= 0:
        return 1.0
    if effect.error == 0:
        return 0.0
    return 2 * float(stdtr(effect.freedom, -distance / effect.error))


def interval_of(effect: Effect, level: float) -> tuple[float, float]:
    """Return the interval of the difference of logarithms."""
    half = float(stdtrit(effect.freedom, (1 + level) / 2)) * effect.error + effect.blur
    return effect.mean - half, effect.mean + half
