"""Facts: what rules may ask, each a function of a case and a place; a rule's parameters name them.

In: a case, a place (workload, solution; "" where it is about all). Out: a plain value that is easy
to write down in a rule's example, or `Missing` with the reason. Times are on the deciding tier.
"""

import math
from collections.abc import Callable
from itertools import chain
from statistics import median
from typing import Any

from roofmark.analysis.bounds import Loads
from roofmark.analysis.compare import Place, Series, kept_samples
from roofmark.analysis.roofline import hard_floor, peak_shares
from roofmark.analysis.rules.case import Case
from roofmark.analysis.stats import mean
from roofmark.analysis.verdict import Estimate, Roof
from roofmark.evidence import (
    BuildFailed,
    Crashed,
    Discard,
    GpuReading,
    Incorrect,
    Measurement,
    TimedOut,
)
from roofmark.expressions import evaluate
from roofmark.records import Missing
from roofmark.study import DTYPE_BYTES, Definition, twin_of

Fact = Callable[[Case, Place], Any]
FACTS: dict[str, Fact] = {}


def fact(collect: Fact) -> Fact:
    """Register a fact under its function's name."""
    FACTS[collect.__name__] = collect
    return collect


def series_of(case: Case, place: Place) -> Series | Missing:
    """Return the traces of a place, or Missing where none passed."""
    found = case.scene.series.get(place)
    if found is None or not found.passed():
        return Missing(reason="no process measured it")
    return found


def _measurements(case: Case, place: Place) -> list[Measurement] | Missing:
    """Of the deciding tier and cache state, one per process."""
    series = series_of(case, place)
    if isinstance(series, Missing):
        return series
    found = [
        m
        for _, passed in series.passed()
        for m in passed.measurements
        if m.tier == case.scene.tier and m.cache == case.study.protocol.cache
    ]
    return found or Missing(reason=f"no measurement on the {case.scene.tier} tier")


# --- the study's own words -----------------------------------------------------------------------
@fact
def margin(case: Case, place: Place) -> float:
    """The smallest difference that matters, as a ratio minus one."""
    return case.study.protocol.margin


@fact
def fewest(case: Case, place: Place) -> int:
    """How many processes the protocol asks for at least."""
    return case.study.protocol.processes[0]


@fact
def cold(case: Case, place: Place) -> bool:
    """Whether every timed call found a cold cache on a GPU, so that a physical floor holds."""
    return case.study.protocol.cache == "cold" and case.run.device == "cuda"


# --- readings ------------------------------------------------------------------------------------
def _readings(case: Case, place: Place) -> list[Any]:
    series = series_of(case, place)
    if isinstance(series, Missing):
        return []
    return list(chain.from_iterable(passed.readings for _, passed in series.passed()))


@fact
def throttle(case: Case, place: Place) -> tuple[int, ...] | Missing:
    """NVML throttle masks after each visit."""
    masks = tuple(r.throttle for r in _readings(case, place) if isinstance(r, GpuReading))
    return masks or Missing(reason="no GPU reading")


@fact
def sm_clocks(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """SM clocks in hertz after each visit."""
    clocks = tuple(r.sm_clock for r in _readings(case, place) if isinstance(r, GpuReading))
    return clocks or Missing(reason="no GPU reading")


@fact
def stolen(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """Share of CPU time that the hypervisor gave to others, per visit."""
    shares = tuple(r.stolen for r in _readings(case, place) if not isinstance(r, GpuReading))
    return shares or Missing(reason="no CPU reading")


@fact
def load_averages(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """Load average of the host, per visit."""
    found = tuple(r.load for r in _readings(case, place) if not isinstance(r, GpuReading))
    return found or Missing(reason="no CPU reading")


# --- times ---------------------------------------------------------------------------------------
@fact
def process_medians(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """Seconds: the median over blocks of each process."""
    series = series_of(case, place)
    if isinstance(series, Missing):
        return series
    return tuple(series.process_medians(case.scene.tier)) or Missing(reason="no sample")


@fact
def baseline_medians(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """Process medians of the baseline on the same workload."""
    return process_medians(case, (place[0], case.study.baseline))


@fact
def samples(case: Case, place: Place) -> tuple[tuple[float, ...], ...] | Missing:
    """Kept samples in order, one tuple per process."""
    found = _measurements(case, place)
    if isinstance(found, Missing):
        return found
    return tuple(tuple(chain.from_iterable(map(kept_samples, m.visits))) for m in found)


@fact
def baseline_samples(case: Case, place: Place) -> tuple[tuple[float, ...], ...] | Missing:
    """Kept samples of the baseline on the same workload."""
    return samples(case, (place[0], case.study.baseline))


@fact
def counts(case: Case, place: Place) -> tuple[int, int] | Missing:
    """How many samples were taken, and how many of them were discarded."""
    found = _measurements(case, place)
    if isinstance(found, Missing):
        return found
    visits = [visit for m in found for visit in m.visits]
    return sum(len(v.samples) for v in visits), sum(len(v.discarded) for v in visits)


@fact
def discard_reasons(case: Case, place: Place) -> tuple[str, ...] | Missing:
    """The distinct reasons for discards, the most frequent first."""
    found = _measurements(case, place)
    if isinstance(found, Missing):
        return found
    reasons = [d.reason for d in _discards(found)]
    return tuple(sorted(set(reasons), key=lambda r: (-reasons.count(r), r)))


def _discards(found: list[Measurement]) -> list[Discard]:
    return [discard for m in found for visit in m.visits for discard in visit.discarded]


@fact
def tick(case: Case, place: Place) -> float:
    """The clock's resolution in seconds, as the readings of the whole study betray it."""
    return case.scene.resolution


@fact
def span(case: Case, place: Place) -> float | Missing:
    """Seconds between the two readings of the clock that make one sample (the shortest visit)."""
    series = series_of(case, place)
    if isinstance(series, Missing):
        return series
    spans = [t.span for b in series.tiers.get(case.scene.tier, {}).values() for t in b.values()]
    return min(spans) if spans else Missing(reason="no sample")


# --- comparisons ---------------------------------------------------------------------------------
@fact
def ratios(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """Log of baseline / solution, one per process in order."""
    found = pairs(case, place)
    return found if isinstance(found, Missing) else tuple(ratio for _, ratio in found)


@fact
def pairs(case: Case, place: Place) -> tuple[tuple[float, float], ...] | Missing:
    """Per process: seconds of the baseline, and the log of baseline / solution."""
    found = case.comparisons[place].pairs if place in case.comparisons else None
    if found is None:
        return Missing(reason="no pair with the baseline")
    return tuple((found.baseline[p], ratio) for p, ratio in found.by_process.items())


@fact
def slack(case: Case, place: Place) -> float | Missing:
    """How far (log ratio) the mean is from the nearest border of a zone."""
    found = ratios(case, place)
    if isinstance(found, Missing):
        return found
    return abs(abs(mean(found)) - math.log1p(case.study.protocol.margin))


@fact
def twin_ratios(case: Case, place: Place) -> tuple[float, ...] | Missing:
    """Log ratios of the baseline and its twin on this workload, one per process."""
    found = ratios(case, (place[0], twin_of(case.study.baseline)))
    return Missing(reason="no A/A twin was measured") if isinstance(found, Missing) else found


@fact
def twin_decision(case: Case, place: Place) -> str | Missing:
    """The zone of the twin's cell on this workload."""
    cell = case.comparisons.get((place[0], twin_of(case.study.baseline)))
    return cell.decision if cell else Missing(reason="no A/A twin was measured")


@fact
def slowest_and_floor(case: Case, place: Place) -> tuple[float, float] | Missing:
    """Upper end of the time's interval, and the least time that nothing here can beat, in seconds.

    Only what has to be read counts: written bytes may still be in the cache when the clock stops.
    """
    cell = case.cells[place]
    if not isinstance(cell.time, Estimate):
        return cell.time
    if not isinstance(cell.roof, Roof):
        return cell.roof
    axes = case.study.axes(next(w for w in case.study.workloads if w.id == place[0]))
    try:
        inputs = sum(tensor.size(axes) for tensor in case.study.definition.inputs.values())
    except (ValueError, KeyError) as error:
        return Missing(reason=f"the inputs' sizes cannot be computed: {error}")
    read = min(cell.roof.traffic, inputs)
    floor = hard_floor(read, cell.roof.flops, case.environment, cache=case.study.protocol.cache)
    return floor if isinstance(floor, Missing) else (cell.time.high, floor.seconds)


@fact
def loads(case: Case, place: Place) -> Loads | Missing:
    """Shares of the device's peaks, from times alone, the device's own where there are any."""
    scene, series = case.scene, series_of(case, place)
    if isinstance(series, Missing):
        return series
    took = {tier: median(found) for tier in series.tiers if (found := series.process_medians(tier))}
    if scene.tier not in took:
        return Missing(reason=f"no measurement on the {scene.tier} tier")
    seconds, host = took[scene.tier], Missing(reason="the deciding tier leaves the host out")
    on_device = took.get("kernel", took.get("graph"))
    if scene.tier == "call" and on_device is not None:
        host, seconds = max(0.0, 1 - on_device / seconds), on_device
    axes = case.study.axes(next(w for w in case.study.workloads if w.id == place[0]))
    definition = case.study.definition
    try:
        own = case.study.solution(place[1]).traffic
        traffic = own if isinstance(own, str) else definition.traffic
        work = evaluate(traffic, axes), evaluate(definition.flops, axes)
    except ValueError as error:
        return Missing(reason=f"the cost cannot be computed: {error}")
    found = peak_shares(
        *work,
        seconds,
        case.environment,
        dtype=_widest(definition),
        cache=case.study.protocol.cache,
    )
    return Loads(origin="timing", host=host, **found)


def _widest(definition: Definition) -> str | None:
    """Return the widest floating dtype among the inputs: the arithmetic that is asked for."""
    floats = [
        t.dtype for t in definition.inputs.values() if t.dtype.startswith(("float", "bfloat"))
    ]
    return max(floats, key=lambda dtype: DTYPE_BYTES[dtype], default=None)


# --- outcomes ------------------------------------------------------------------------------------
@fact
def fate(case: Case, place: Place) -> str:
    """What became of this cell's solution: "passed", "incorrect", ..."""
    return case.comparisons[place].fate


@fact
def baseline_fate(case: Case, place: Place) -> str:
    """What became of the baseline on this cell's workload."""
    return case.comparisons[place].baseline_fate


@fact
def reasons(case: Case, place: Place) -> tuple[str, ...]:
    """Why processes failed, in order and without repetition."""
    series = case.scene.series.get(place)
    said: list[str] = []
    for trace in series.traces if series else ():
        if isinstance(trace.outcome, Incorrect | BuildFailed | Crashed):
            said.append(trace.outcome.reason)
        if isinstance(trace.outcome, TimedOut):
            said.append(f"no answer within {trace.outcome.limit:g} s ({trace.outcome.stage})")
    return tuple(dict.fromkeys(said))


@fact
def baseline_reasons(case: Case, place: Place) -> tuple[str, ...]:
    """Why processes of the baseline failed on this workload."""
    return reasons(case, (place[0], case.study.baseline))


@fact
def processes(case: Case, place: Place) -> tuple[int, int]:
    """How many processes gave a pair, and how many were started."""
    found = case.comparisons[place].pairs
    series = case.scene.series.get(place)
    return found.n if found else 0, len(series.traces) if series else 0


@fact
def skipped(case: Case, place: Place) -> dict[str, str]:
    """Solution -> why it was not run on this machine."""
    here = {s.solution: s.reason for s in case.run.skipped}
    for solution in case.study.solutions:
        if case.run.device not in solution.runs_on:
            here.setdefault(solution.name, f"it does not run on {case.run.device}")
    return here


@fact
def ptx_only(case: Case, place: Place) -> bool | Missing:
    """Whether a binary of this solution holds no machine code, only PTX."""
    traces = [t for at, s in case.scene.series.items() if at[1] == place[1] for t in s.passed()]
    builds = [case.builds[p.build] for _, p in traces if p.build in case.builds]
    if not builds:
        return Missing(reason="no proof of build")
    return any(build.ptx_only for build in builds)


@fact
def controls(case: Case, place: Place) -> dict[str, dict[str, str]]:
    """Negative control -> workload -> fate; a control that never ran has no workload."""
    from roofmark.analysis.decide import fate_of

    return {
        wrong.name: {
            at[0]: fate_of(series)
            for at, series in case.scene.series.items()
            if at[1] == wrong.name
        }
        for wrong in case.study.wrong
    }
