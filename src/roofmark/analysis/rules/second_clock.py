"""RM508: a clock outside the worker saw more time than its samples."""

import math

from scipy.special import stdtrit

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.outside import FACTOR, Clocks
from roofmark.records import Missing
from roofmark.units import show

# Chosen: a lie by half of the true time is the smallest that has to be found.
_LIE = 2.0


@rule(
    "RM508",
    "a clock outside the worker saw more time",
    per="series",
    moves="invalid",
    fires={
        "clocks": ((4.0e-3, 2.0e-3, 1.0, 1e-4), (4.1e-3, 2.0e-3, 1.02, 1e-4)),
        "level": 0.95,
    },
    silent={
        "clocks": ((2.2e-3, 2.0e-3, 1.0, 1e-4), (2.1e-3, 2.0e-3, 1.0, 1e-4)),
        "level": 0.95,
    },
)
def second_clock(clocks: tuple[Clocks, ...], level: float) -> str | Missing:
    """In most processes, the quickest batch of calls took longer than the samples say.

    A batch is timed by the orchestrator: the worker gets its inputs when that clock has started,
    and the clock stops when no output can change any more. Noise makes a batch longer now and then,
    and it is taken again while it disagrees; only what is never as fast as it says always does.
    A host that disturbs the baseline's batches as well has its ratio counted in.

    Why it matters: the solution's samples, or the work that they hold, are not what a user gets:
    clocks or samples were changed in the worker, or work was done before a call or after it.
    What to do: look for patched timers (RM510), threads, streams and processes that outlive a call,
    caches filled between calls, and kernels that rely on what runs before them.
    It cannot be accepted. Unknown where a batch is too short for the outer clock, or where the
    baseline's batches are as far from its samples. Waits for cores, uneven calls, and fewer
    processes than most are RM517.
    """
    apart, sure = sort_clocks(clocks)
    if not most(sure, clocks):
        if many(apart, clocks, level):
            return Missing(reason="the clocks disagree, and that proves too little (RM517)")
        if any(_can_clear(*each) for each in clocks if each not in apart):
            return ""
        longest = max(said for _, said, _, _ in clocks)
        return Missing(reason=f"a batch of {show(longest, 's')} is too short for a clock outside")
    seen, said, _, _ = min(sure, key=lambda each: each[0] / each[1])
    return (
        f"{show(seen, 's')} from outside, {show(said, 's')} by its samples, for the same calls "
        f"({seen / said:.1f}x, and no less in {len(sure)} of {len(clocks)} processes)"
    )


def sort_clocks(clocks: tuple[Clocks, ...]) -> tuple[list[Clocks], list[Clocks]]:
    """Return which processes' clocks are apart, and which of these surely are."""
    apart = [each for each in clocks if _apart(*each)]
    return apart, [each for each in apart if _apart(each[0] / each[2], *each[1:])]


def most(found: list[Clocks], clocks: tuple[Clocks, ...]) -> bool:
    """Return whether these are more than half, and two at least.

    Half of all, not of those that are apart or can be cleared: where batches are too short to
    clear anybody, the few that noise made long would be all that is left.
    """
    return len(found) >= 2 and 2 * len(found) > len(clocks)


def many(found: list[Clocks], clocks: tuple[Clocks, ...], level: float) -> bool:
    """Return whether a verdict of this level might rest on these alone, or they are most.

    Where k of n processes lie, by whatever factor, and the others tell no difference, the mean is
    sqrt(k (n - 1) / (n - k)) standard errors from none at most: all of one size is the worst.
    """
    k, n = len(found), len(clocks)
    if most(found, clocks) or k in (0, n):
        return most(found, clocks)
    asked = float(stdtrit(n - 1, (1 + level) / 2))
    return math.sqrt(k * (n - 1) / (n - k)) >= asked


def _can_clear(_seen: float, said: float, _ratio: float, slack: float) -> bool:
    """Whether a lie that halves the time would have shown, with as much room as noise has."""
    return _LIE * said > FACTOR * said + 2 * slack


def _apart(seen: float, said: float, _ratio: float, slack: float) -> bool:
    return seen > FACTOR * said + slack
