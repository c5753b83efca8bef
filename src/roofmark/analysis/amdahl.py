"""Amdahl: what a kernel's speed-up is worth in an engine, predicted, beside what was measured.

In: a kernel study's estimate, an engine's bundle, which leg, which kernel. Out: `Gain`s per load.

    share f = calls per token * mean time of the kernel / seconds per token of the timed pass
    predicted speed-up = 1 / (1 - f + f / r)          (Amdahl 1967), r the kernel's speed-up

The kernel's mean comes from the profiled pass, where a single kernel takes what it takes; the time
per token from the timed pass, since a profiler slows the host between kernels. The interval takes
the worst ends of r and of the time per token together, so it is wide rather than narrow.
"""

from collections.abc import Mapping

from roofmark.analysis.compare import Series, collect_series, estimate_ratio, estimate_time, pair
from roofmark.analysis.leg_tables import main_kind, rows_of
from roofmark.analysis.verdict import Estimate
from roofmark.bundle import Bundle
from roofmark.foreign import KernelRow
from roofmark.records import Missing, Record
from roofmark.served import LegProfile
from roofmark.study import Protocol, Tier
from roofmark.units import Ratio, Seconds


class Gain(Record):
    """One load. share: of a token's time that the kernel takes, at most 1.

    measured: speed-up of the leg that has the other kernel over this leg, Missing where none is
    named or paired. agrees: whether the two intervals overlap. off: predicted over measured.
    """

    workload: str
    kernel: str
    calls: float
    mean: Seconds
    share: Ratio
    predicted: Estimate
    measured: Estimate | Missing
    agrees: bool | Missing
    off: Ratio | Missing


def predict_gains(
    engine: Bundle, ratio: Estimate, *, leg: str, kernel: str, against: str = ""
) -> dict[str, Gain | Missing]:
    """Return load -> the gain of replacing the kernels whose name holds `kernel` in `leg`.

    ratio: their speed-up. against: the leg in which they are replaced, for what was measured.
    Loads that generate nothing have no profiled pass and are left out.
    """
    study = engine.study
    series = collect_series(study, engine.traces())
    tables = {each.workload: each.outcome for each in engine.tables() if each.solution == leg}
    return {
        workload: _gain(workload, table, series, ratio, (study.protocol, leg, kernel, against))
        for workload, table in tables.items()
    }


def speedup_of(kernels: Bundle, solution: str, workload: str, tier: Tier) -> Estimate | Missing:
    """Return a solution's speed-up over its baseline on one tier, whichever decides."""
    study = kernels.study
    series = collect_series(study, kernels.traces())
    return _paired(series, (workload, study.baseline, solution), tier, study.protocol)


def _gain(
    workload: str,
    table: LegProfile | Missing,
    series: Mapping[tuple[str, str], Series],
    ratio: Estimate,
    asked: tuple[Protocol, str, str, str],
) -> Gain | Missing:
    protocol, leg, kernel, against = asked
    if isinstance(table, Missing):
        return table
    rows = [row for row in rows_of(table, main_kind(table)).rows if kernel in row.name]
    if not rows:
        return Missing(reason=f"no kernel of {leg} has {kernel!r} in its name")
    token = estimate_time(series.get((workload, leg)), "token", protocol)
    if isinstance(token, Missing):
        return token
    spent = sum(row.total for row in rows) / table.tokens
    if spent >= token.low:
        return Missing(reason=f"{kernel!r} takes longer under the profiler than a token does")
    measured: Estimate | Missing = Missing(reason="no leg with the other kernel is named")
    if against:
        measured = _paired(series, (workload, leg, against), "token", protocol)
    predicted = _predicted(spent, token, ratio)
    return Gain(
        workload=workload,
        kernel=", ".join(row.name for row in rows[:3]),
        calls=sum(row.calls for row in rows) / table.tokens,
        mean=_mean(rows),
        share=spent / token.value,
        predicted=predicted,
        measured=measured,
        agrees=_overlap(predicted, measured) if isinstance(measured, Estimate) else measured,
        off=predicted.value / measured.value if isinstance(measured, Estimate) else measured,
    )


def _predicted(spent: float, token: Estimate, ratio: Estimate) -> Estimate:
    """Return the prediction; its ends are the extremes over both intervals."""

    def speedup(seconds: float, times: float) -> float:
        share = spent / seconds
        return 1 / (1 - share + share / times)

    ends = [speedup(t, r) for t in (token.low, token.high) for r in (ratio.low, ratio.high)]
    return Estimate(
        value=speedup(token.value, ratio.value),
        low=min(ends),
        high=max(ends),
        level=min(ratio.level, token.level),
        method="Amdahl over the worst ends of the kernel's speed-up and the time per token",
        n=min(ratio.n, token.n),
    )


def _paired(
    series: Mapping[tuple[str, str], Series],
    place: tuple[str, str, str],
    tier: Tier,
    protocol: Protocol,
) -> Estimate | Missing:
    """Return the speed-up of a solution over another one; place: (workload, against, solution)."""
    workload, against, solution = place
    base, own = series.get((workload, against)), series.get((workload, solution))
    if base is None or own is None:
        return Missing(reason=f"{against if base is None else solution} was not measured")
    pairs = pair(base, own, tier)
    return estimate_ratio(list(pairs.ratios.values()), protocol)


def _mean(rows: list[KernelRow]) -> float:
    return sum(row.total for row in rows) / sum(row.calls for row in rows)


def _overlap(one: Estimate, other: Estimate) -> bool:
    return one.low <= other.high and other.low <= one.high
