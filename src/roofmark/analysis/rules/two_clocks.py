"""RM501: a worker's clock disagrees with ours."""

import math

from msgspec import UnsetType

from roofmark.analysis.compare import Place
from roofmark.analysis.rules import rule
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact, series_of
from roofmark.records import Missing
from roofmark.study import SERVING_TIERS
from roofmark.units import show

# Chosen: two healthy clocks of one machine differ by less than 1e-4; the orchestrator's reading
# also holds every overhead, so samples longer than it are impossible but for a rounding.
TOLERANCE = 0.01


@fact
def clocked(case: Case, place: Place) -> tuple[tuple[float, float], ...] | Missing:
    """Per visit of any tier: (seconds of all its samples, seconds by the orchestrator's clock)."""
    series = series_of(case, place)
    if isinstance(series, Missing):
        return series
    streams = _streams(case, place[0])
    return tuple(
        (math.fsum(visit.samples) * visit.calls / streams, visit.elapsed)
        for _, passed in series.passed()
        for measurement in passed.measurements
        for visit in measurement.visits
        if measurement.tier == "token" or measurement.tier not in SERVING_TIERS
    ) or Missing(reason="no visit")


def _streams(case: Case, workload: str) -> float:
    """How many samples of a visit may lie side by side: 1, an engine's streams, or any number."""
    axes = next(w.axes for w in case.study.workloads if w.id == workload)
    if isinstance(case.study.serving, UnsetType):
        return 1
    return math.inf if axes["rate"] else axes["concurrency"]


@rule(
    "RM501",
    "samples take longer than the visit did",
    per="series",
    moves="invalid",
    fires={"clocked": ((0.5, 0.1),)},
    silent={"clocked": ((0.5, 0.6),)},
)
def two_clocks(clocked: tuple[tuple[float, float], ...]) -> str:
    """The samples of a visit add up to more time than passed on the orchestrator's own clock.

    Why it matters: the worker's clock was wrong or tampered with; no time of it counts.
    What to do: read the candidate's source for patched timers; check the host's clock source.
    It cannot be accepted.
    """
    bad = [pair for pair in clocked if pair[0] > pair[1] * (1 + TOLERANCE)]
    if not bad:
        return ""
    ours, elapsed = max(bad, key=lambda pair: pair[0] - pair[1])
    return f"{show(ours, 's')} of samples within {show(elapsed, 's')}, in {len(bad)} visits"
