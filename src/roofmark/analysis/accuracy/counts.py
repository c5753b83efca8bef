"""Paired counts: what right and wrong answers of two legs to the same questions can say.

In: how many questions only A had right (lost), only B (gained), and n in all. Out: exact p-values,
the interval of the difference of two accuracies, and what n questions could have told.

McNemar: under "no difference" a flip goes either way like a coin, so the smaller count is binomial
(lost + gained, 1/2). The exact two-sided p doubles its tail; mid-p counts the observed case half.
Tango: a difference d is kept while the score statistic

    |gained - lost - n d| / sqrt(n (2 q + d (1 - d))) <= z

where q is the likeliest share of lost questions if gained minus lost were d: the larger root of
2 n q^2 + ((2 n - gained + lost) d - gained - lost) q - lost d (1 - d) = 0. Such an interval does
not shrink to a point where nothing flipped, and needs no large counts.
Source: Q. McNemar, Psychometrika 12 (1947); T. Tango, Stat. Med. 17 (1998) 891; C. J. Clopper,
E. S. Pearson, Biometrika 26 (1934).
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import beta, binom, binomtest, norm

from roofmark.analysis.stats import sig
from roofmark.analysis.verdict import Estimate

# Chosen: the field's habit; four times in five the difference would be seen.
POWER = 0.8
# Chosen: a set that needs more questions than this to tell a difference cannot be asked.
MOST_QUESTIONS = 10_000_000


def mcnemar(lost: int, gained: int) -> tuple[float, float]:
    """Return the exact two-sided p of the flips, and the mid-p.

    >>> mcnemar(0, 6), mcnemar(0, 0)
    ((0.03125, 0.015625), (1.0, 1.0))
    """
    flips = lost + gained
    if not flips:
        return 1.0, 1.0
    exact = float(binomtest(min(lost, gained), flips).pvalue)
    here = float(binom.pmf(min(lost, gained), flips, 0.5)) if lost != gained else 0.0
    return sig(exact), sig(exact - here)


def difference(lost: int, gained: int, n: int, level: float) -> Estimate:
    """Return the accuracy of B minus that of A over n questions of both, by Tango's interval."""
    z = float(norm.ppf((1 + level) / 2))
    value = (gained - lost) / n

    def beyond(d: float) -> float:
        return _score(lost, gained, n, d) - z

    low = -1.0 if value == -1 else _root(beyond, -1.0, value)
    high = 1.0 if value == 1 else _root(lambda d: -_score(lost, gained, n, d) - z, 1.0, value)
    return Estimate(
        value=sig(value), low=sig(low), high=sig(high), level=level, method="Tango", n=n
    )


def share(right: int, of: int, level: float) -> Estimate:
    """Return right / of with the exact interval of Clopper and Pearson."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, right, of - right + 1)) if right else 0.0
    high = float(beta.ppf(1 - tail, right + 1, of - right)) if right < of else 1.0
    return Estimate(
        value=sig(right / of), low=sig(low), high=sig(high), level=level, n=of,
        method="Clopper-Pearson",
    )  # fmt: skip


# --- what a set can tell -------------------------------------------------------------------------
def fewest_flips(level: float) -> int:
    """Return how many flips, all one way, are the fewest that decide.

    >>> fewest_flips(0.95)
    6
    """
    return math.ceil(1 - math.log2(1 - level))


def detectable(n: int, churn: float, level: float) -> float | None:
    """Return the smallest true difference that n questions show with a power of 0.8.

    churn: part of the questions that flips either way besides. None where no difference is shown.
    """
    most = 1 - churn
    if power(n, most, churn, level) < POWER:
        return None
    low, high = 0.0, most
    while high - low > max(1e-5, 0.002 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if power(n, middle, churn, level) >= POWER else (middle, high)
    return sig(high)


def needed(change: float, churn: float, level: float) -> int | None:
    """Return how many questions show a true difference with a power of 0.8; None if no set does."""
    n = fewest_flips(level)
    while power(n, change, churn, level) < POWER:
        n *= 2
        if n > MOST_QUESTIONS:
            return None
    low, high = n // 2, n
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (
            (low, middle) if power(middle, change, churn, level) >= POWER else (middle, high)
        )
    return high


def power(n: int, change: float, churn: float, level: float) -> float:
    """Return how probably McNemar's exact test decides, if flips differ by `change` of n.

    Flips are binomial (n, churn + change), and go the one way with (churn / 2 + change) of that.
    """
    every = churn + change
    if every <= 0:
        return 0.0
    centre, width = n * every, 8 * math.sqrt(n * every) + 8
    flips = np.arange(max(0, int(centre - width)), min(n, int(centre + width)) + 1)
    # The largest smaller count whose doubled tail is within the level; -1 where there is none.
    border = binom.ppf((1 - level) / 2, flips, 0.5).astype(int)
    border = np.where(2 * binom.cdf(border, flips, 0.5) <= 1 - level, border, border - 1)
    toward = (churn / 2 + change) / every
    decides = binom.cdf(border, flips, 1 - toward) + binom.cdf(border, flips, toward)
    return float(np.sum(binom.pmf(flips, n, min(every, 1.0)) * np.minimum(decides, 1.0)))


# --- Tango ---------------------------------------------------------------------------------------
def _score(lost: int, gained: int, n: int, d: float) -> float:
    """Return Tango's statistic for a true difference d; positive where d is below what is seen."""
    seen = gained - lost - n * d
    variance = n * (2 * _lost_share(lost, gained, n, d) + d * (1 - d))
    if variance <= 0:
        return math.copysign(math.inf, seen) if seen else 0.0
    return seen / math.sqrt(variance)


def _lost_share(lost: int, gained: int, n: int, d: float) -> float:
    """Return the likeliest share of lost questions, if gained minus lost is d of all."""
    a, b, c = 2 * n, (2 * n - gained + lost) * d - gained - lost, -lost * d * (1 - d)
    return max((math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a), -d, 0.0)


def _root(beyond: Callable[[float], float], outside: float, inside: float) -> float:
    """Return where `beyond` changes its sign, between a point outside and one inside."""
    for _ in range(60):
        middle = (outside + inside) / 2
        if beyond(middle) > 0:
            outside = middle
        else:
            inside = middle
    return inside
