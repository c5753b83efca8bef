"""Leg tables: from a profiled pass of an engine to rows, shares of time and a sum per token.

In: `LegProfile`s. Out: `KernelTable`s as importers make them, so the same formula (`14*gemm + ...`)
sums both; how the pass divides into kernels, copies and gaps; calls per token of several legs side
by side. Times under a profiler are no timing evidence, so shares are set against the timed pass
only where amdahl.py says so.
"""

import math
from collections.abc import Iterable, Mapping

from roofmark.analysis.kernel_sums import PerStep, per_step
from roofmark.foreign import KernelRow, KernelTable, Kind
from roofmark.legs import Engine, Serving
from roofmark.records import Missing, Record
from roofmark.served import LegProfile, SpanKind, Spans
from roofmark.study import Study
from roofmark.units import Ratio, Seconds

_KINDS: dict[SpanKind, Kind] = {"kernel": "gpu", "copy": "copies", "op": "regions"}


class Split(Record):
    """Shares of a pass in which a kernel ran, only a copy ran, and the device had nothing to do."""

    kernels: Ratio
    copies: Ratio
    gaps: Ratio


class CallsRow(Record):
    """One kernel and its calls per token in each leg; 0 where it never ran."""

    name: str
    calls: dict[str, float]


def rows_of(profile: LegProfile, kind: SpanKind) -> KernelTable:
    """Return kernels (on a CPU: outermost operators) or copies by name, the most time first."""
    rows = [_row(each) for each in profile.spans if each.kind == kind]
    ordered = sorted(rows, key=lambda row: (-row.total, row.name))
    return KernelTable(kind=_KINDS[kind], rows=tuple(ordered))


def main_kind(profile: LegProfile) -> SpanKind:
    """Return what stands for kernels in a profile: operators where no device was seen."""
    return "kernel" if any(each.kind == "kernel" for each in profile.spans) else "op"


def split_time(profile: LegProfile) -> Split:
    """Return how the pass divides; kernels that run side by side count once."""
    kind = main_kind(profile)
    kernels = _union(each for each in profile.spans if each.kind == kind)
    both = _union(each for each in profile.spans if each.kind in (kind, "copy"))
    wall = max(profile.wall, both)
    return Split(
        kernels=kernels / wall, copies=(both - kernels) / wall, gaps=max(0.0, 1 - both / wall)
    )


def sum_per_token(profile: LegProfile, formula: str) -> PerStep | Missing:
    """Return seconds per token by a formula, with its coverage; Missing where it fits no kernel."""
    table = rows_of(profile, main_kind(profile))
    try:
        return per_step(table, formula)
    except ValueError as error:
        return Missing(reason=f"the formula {formula!r} does not fit: {error}")


def formula_of(study: Study, leg: str) -> str:
    """Return the launches per token that the study gives a leg, "" where it gives none."""
    own = study.solution(leg).leg
    shared = study.serving.formula if isinstance(study.serving, Serving) else ""
    return (own.formula if isinstance(own, Engine) else "") or shared


def busy_per_token(profile: LegProfile) -> Seconds:
    """Return seconds of all kernels together per token; those that run side by side count twice."""
    return rows_of(profile, main_kind(profile)).total / profile.tokens


def compare_calls(profiles: Mapping[str, LegProfile]) -> tuple[CallsRow, ...]:
    """Return calls per token of every kernel whose count differs between legs, by name."""
    counts: dict[str, dict[str, float]] = {}
    for leg, profile in profiles.items():
        for each in profile.spans:
            if each.kind == main_kind(profile):
                counts.setdefault(each.name, {})[leg] = len(each.durations) / profile.tokens
    rows = [
        CallsRow(name=name, calls={leg: found.get(leg, 0.0) for leg in profiles})
        for name, found in sorted(counts.items())
    ]
    return tuple(row for row in rows if len(set(row.calls.values())) > 1)


def quantile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank quantile: a value that occurred, never one in between.

    >>> quantile([3.0, 1.0, 2.0, 4.0], 0.5), quantile([1.0, 2.0], 0.99)
    (2.0, 2.0)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _row(spans: Spans) -> KernelRow:
    times = spans.durations
    total = math.fsum(times)
    return KernelRow(
        name=spans.name,
        calls=len(times),
        total=total,
        mean=total / len(times),
        median=quantile(times, 0.5),
        p95=quantile(times, 0.95),
    )


def _union(spans: Iterable[Spans]) -> float:
    """Return the seconds in which at least one of these ran."""
    moments = sorted(
        (start, start + duration)
        for each in spans
        for start, duration in zip(each.starts, each.durations, strict=True)
    )
    total, end = 0.0, -math.inf
    for start, stop in moments:
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total
