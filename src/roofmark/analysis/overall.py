"""Overall: one solution over all workloads.

In: the comparisons of one solution. Out: its geometric-mean speed-up with an interval over
processes, and t = t0 + bytes / rate over its workloads. Both use balanced processes only, those in
which every workload of the solution was measured: with a different mix of workloads in each
process, the mix would pass for noise, or for a speed-up.
"""

import math
from collections.abc import Mapping, Sequence

from roofmark.analysis.compare import Series, estimate_ratio, looks
from roofmark.analysis.decide import Comparison
from roofmark.analysis.stations import ByStation
from roofmark.analysis.stats import (
    Summary,
    classify,
    deviation,
    interval,
    mean,
    rms,
    sig,
    spread_within,
    summarise,
)
from roofmark.analysis.verdict import Decision, Estimate, Fit
from roofmark.records import Missing
from roofmark.study import Protocol, Tier

# Chosen: two points fix a line exactly and leave nothing that could contradict it.
LEAST_TRAFFICS = 3


def balanced_processes(cells: Sequence[Comparison]) -> dict[int, float]:
    """Return balanced process -> the mean log ratio over the workloads that have pairs."""
    tables = [cell.pairs.by_process for cell in cells if cell.pairs is not None]
    if not tables:
        return {}
    common = set[int](tables[0]).intersection(*tables[1:])
    return {process: mean([table[process] for table in tables]) for process in sorted(common)}


def balanced_ratios(cells: Sequence[Comparison]) -> list[float]:
    """Return, per balanced process, the mean log ratio over the workloads that have pairs."""
    return list(balanced_processes(cells).values())


def balanced_blocks(cells: Sequence[Comparison]) -> ByStation:
    """Return the balanced ratios as statistics takes them, with the station of each."""
    pairs = next((cell.pairs for cell in cells if cell.pairs is not None), None)
    blocks = {process: [ratio] for process, ratio in balanced_processes(cells).items()}
    return ByStation(blocks, pairs.stations if pairs else {}, pairs.spread if pairs else 0.0)


def overall_floor(own: Sequence[Comparison], twin: Sequence[Comparison]) -> float:
    """Return the least spread of a process's mean: what its blocks explain, what the twin shows."""
    within = [spread_within(c.pairs.ratios.values()) for c in own if c.pairs is not None]
    return max(rms(balanced_ratios(twin)), rms(within) / math.sqrt(max(1, len(within))))


def overall_blur(cells: Sequence[Comparison]) -> float:
    """Return the mean of what the clock can hide; equal ticks need not cancel, so none is."""
    return mean([cell.pairs.blur for cell in cells if cell.pairs is not None] or [0.0])


def estimate_overall(
    cells: Sequence[Comparison], protocol: Protocol, *, floor: float
) -> Estimate | Missing:
    """Return the geometric mean of the speed-ups with its interval over processes."""
    unmeasured = sum(cell.pairs is None for cell in cells)
    if unmeasured:
        return Missing(reason=f"{unmeasured} of {len(cells)} workloads have no speed-up")
    return estimate_ratio(
        balanced_blocks(cells),
        protocol,
        floor=floor,
        blur=overall_blur(cells),
        what="process means over workloads",
    )


def zone_overall(
    cells: Sequence[Comparison], protocol: Protocol, *, floor: float
) -> tuple[Decision, float]:
    """Return the zone of the geometric mean and its p, corrected for looks."""
    ratios = balanced_blocks(cells)
    if len(ratios) < protocol.processes[0] or any(cell.pairs is None for cell in cells):
        return "undecided", 1.0
    summary = summarise(ratios, floor=floor, blur=overall_blur(cells))
    return classify(summary, margin=protocol.margin, looks=looks(protocol))


def is_mixed(zone: Decision, decisions: Sequence[Decision]) -> bool:
    """Return whether workloads were decided against each other, or against the overall zone."""
    fallen = {zone, *decisions}
    return "faster" in fallen and "slower" in fallen


# --- the fit -------------------------------------------------------------------------------------
def fit_line(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Return (t0, seconds per byte) of the line with the least relative squared error.

    Minimises sum(((t - t0 - k b) / t)^2), a weighted least-squares line with weights 1 / t^2.
    """
    weights = [1 / (t * t) for _, t in points]
    total = math.fsum(weights)
    b_mean = math.fsum(w * b for w, (b, _) in zip(weights, points, strict=True)) / total
    t_mean = math.fsum(w * t for w, (_, t) in zip(weights, points, strict=True)) / total
    both = zip(weights, points, strict=True)
    covariance = math.fsum(w * (b - b_mean) * (t - t_mean) for w, (b, t) in both)
    variance = math.fsum(w * (b - b_mean) ** 2 for w, (b, _) in zip(weights, points, strict=True))
    slope = covariance / variance
    return t_mean - slope * b_mean, slope


def estimate_fit(
    solution: str, traffic: Mapping[str, int], series: Sequence[Series], tier: Tier, plan: Protocol
) -> Fit | Missing:
    """Fit t = t0 + bytes / rate in every balanced process; intervals over the processes.

    traffic: workload -> compulsory bytes.
    """
    distinct = {traffic[s.workload] for s in series if s.workload in traffic and s.tiers.get(tier)}
    if len(distinct) < LEAST_TRAFFICS:
        return Missing(reason=f"{len(distinct)} different traffics; a line needs {LEAST_TRAFFICS}")
    times = [
        (
            traffic[s.workload],
            dict(zip(sorted(s.tiers[tier]), s.process_medians(tier), strict=True)),
        )
        for s in series
        if s.workload in traffic and s.tiers.get(tier)
    ]
    common = set[int](times[0][1]).intersection(*(by_process for _, by_process in times[1:]))
    if len(common) < 2:
        return Missing(reason=f"{len(common)} processes measured every workload; it needs two")
    lines = [fit_line([(b, by_process[p]) for b, by_process in times]) for p in sorted(common)]
    if any(slope <= 0 for _, slope in lines):
        return Missing(reason="time does not grow with traffic in every process")
    t0 = _estimate([t0 for t0, _ in lines], plan)
    rate = _estimate([1 / slope for _, slope in lines], plan)
    return Fit(solution=solution, t0=t0, rate=rate)


def _estimate(values: Sequence[float], plan: Protocol) -> Estimate:
    n = len(values)
    summary = Summary(mean(values), deviation(values) / math.sqrt(n), 0.0, n, n - 1)
    low, high = interval(summary, level=plan.level, looks=looks(plan))
    return Estimate(
        value=sig(summary.mean),
        low=sig(low),
        high=sig(high),
        level=plan.level,
        method="t interval over fits per process, relative least squares",
        n=summary.n,
    )
