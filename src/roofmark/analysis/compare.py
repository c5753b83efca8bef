"""Compare: from traces to paired log ratios, per workload, solution and tier.

In: the traces of a study. Out: `Series` (the kept samples of one solution on one workload, by
process and block) and their pairing with the baseline's. Only visits of the same process and block
are paired: they ran side by side, so what slowed one slowed the other. Discarded samples do not
count. Nothing here decides.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, median_low

from roofmark.analysis.stations import SPEEDUP_SPREAD, TIME_SPREAD, ByStation
from roofmark.analysis.stats import hidden_by_clock, interval, rms, sig, summarise
from roofmark.analysis.verdict import Estimate
from roofmark.evidence import Measurement, Passed, Trace, Visit
from roofmark.records import Missing
from roofmark.study import SERVING_TIERS, Device, Protocol, Study, Tier, twin_of

# Chosen: a tenth of the finest tick in use (1 ns); smaller gaps are the rounding of a division.
FINEST_TICK = 1e-10

# Chosen: light goes a third of a micrometre in it; no call of anything is shorter.
SHORTEST = 1e-15

Place = tuple[str, str]
"""Workload id and solution name."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One visit: the median of its kept samples, and the reading of the clock nearest to it."""

    median: float
    span: float


@dataclass(frozen=True, slots=True)
class Series:
    """One solution on one workload: its traces, and per tier process -> block -> timing."""

    workload: str
    solution: str
    traces: tuple[Trace, ...]
    tiers: dict[Tier, dict[int, dict[int, Timing]]] = field(default_factory=dict)

    def passed(self) -> list[tuple[int, Passed]]:
        """Return the outcomes that have a measurement, by process."""
        return [(t.process, t.outcome) for t in self.traces if isinstance(t.outcome, Passed)]

    @property
    def stations(self) -> dict[int, str]:
        """Return process -> the station that measured it; "" where the run had one machine."""
        return {trace.process: trace.station for trace in self.traces}

    def process_medians(self, tier: Tier) -> list[float]:
        """Return the median over blocks of each process, in order."""
        return [
            median(t.median for t in blocks.values())
            for _, blocks in sorted(self.tiers.get(tier, {}).items())
        ]


def tier_that_decides(protocol: Protocol, device: Device) -> Tier:
    """Return the protocol's tier on a GPU; a CPU has `call` alone, an engine its own anywhere."""
    return protocol.tier if device == "cuda" or protocol.tier in SERVING_TIERS else "call"


def looks(protocol: Protocol) -> int:
    """Return how often the stopping rule may look."""
    fewest, most = protocol.processes
    return max(1, most - fewest + 1)


def collect_series(study: Study, traces: Iterable[Trace]) -> dict[Place, Series]:
    """Group traces by workload and solution; of two for the same process the later one counts."""
    grouped: dict[Place, dict[int, Trace]] = defaultdict(dict)
    for trace in traces:
        grouped[trace.workload, trace.solution][trace.process] = trace
    order = {workload.id: index for index, workload in enumerate(study.workloads)}
    whole = {
        place[0]: found.keys() for place, found in grouped.items() if place[1] == study.baseline
    }
    return {
        place: _series(
            place,
            [by_process[p] for p in sorted(by_process)],
            study.protocol,
            whole.get(place[0], by_process.keys()),
        )
        for place, by_process in sorted(
            grouped.items(), key=lambda item: (order.get(item[0][0], len(order)), item[0])
        )
        if place[0] in order
    }


def _series(
    place: Place, traces: Sequence[Trace], protocol: Protocol, whole: Collection[int]
) -> Series:
    """Take no more processes than were planned: a look that was not planned has no level.

    whole: sets that have the baseline's trace, which is written last. One that was killed before
    it has no pair, and must not take the place of one that has.
    """
    most = protocol.processes[1]
    series = Series(*place, traces=tuple(traces))
    for process, passed in series.passed():
        if process not in whole:
            continue
        for measurement in passed.measurements:
            if measurement.cache != protocol.cache:
                continue
            by_process = series.tiers.setdefault(measurement.tier, {})
            timings = _timings(measurement)
            if timings and len(by_process) < most:
                by_process[process] = timings
    return series


def _timings(measurement: Measurement) -> dict[int, Timing]:
    timings: dict[int, Timing] = {}
    for visit in measurement.visits:
        kept = kept_samples(visit)
        if kept:
            centre = median(kept)
            timings[visit.block] = Timing(centre, median_low(kept) * visit.calls)
    return timings


def kept_samples(visit: Visit) -> Sequence[float]:
    """Return the samples that count; a time of zero is a clock that did not tick, not a time."""
    if not visit.discarded:
        return [sample for sample in visit.samples if sample >= SHORTEST]
    out = {discard.sample for discard in visit.discarded}
    return [s for i, s in enumerate(visit.samples) if i not in out and s >= SHORTEST]


# --- pairs ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Pairs:
    """Log ratios baseline / solution: process -> one per block that both visited."""

    ratios: dict[int, list[float]]
    baseline: dict[int, float]
    solution: dict[int, float]
    blur: float
    stations: dict[int, str]
    spread: float

    @property
    def blocks(self) -> ByStation:
        """The ratios as statistics takes them."""
        return ByStation(self.ratios, self.stations, self.spread)

    @property
    def n(self) -> int:
        """How many processes have a pair."""
        return len(self.ratios)

    @property
    def by_process(self) -> dict[int, float]:
        """Process -> median over its blocks."""
        return {process: median(blocks) for process, blocks in self.ratios.items()}


def pair(baseline: Series, solution: Series, tier: Tier, *, resolution: float = 0.0) -> Pairs:
    """Pair two series on one tier by process and block."""
    left, right = baseline.tiers.get(tier, {}), solution.tiers.get(tier, {})
    blur, spread = _blur(left, right, resolution), SPEEDUP_SPREAD[tier]
    pairs = Pairs({}, {}, {}, blur, baseline.stations, spread)
    for process in sorted(left.keys() & right.keys()):
        a, b = left[process], right[process]
        both = sorted(a.keys() & b.keys())
        if both:
            pairs.ratios[process] = [math.log(a[i].median / b[i].median) for i in both]
            pairs.baseline[process] = median(a[i].median for i in both)
            pairs.solution[process] = median(b[i].median for i in both)
    return pairs


def _blur(
    left: Mapping[int, dict[int, Timing]], right: Mapping[int, dict[int, Timing]], resolution: float
) -> float:
    if not (resolution and left and right):
        return 0.0
    sides = (
        [t.span for blocks in side.values() for t in blocks.values()] for side in (left, right)
    )
    return math.fsum(hidden_by_clock(spans, resolution) for spans in sides)


def find_resolution(series: Iterable[Series], tier: Tier) -> float:
    """Return the tick that the readings of one tier betray: the least gap between any two.

    A reading is sample x calls, which undoes the division by the calls behind it. Where all
    readings are equal nothing finer than the reading itself was seen, so that is the tick.
    """
    processes = [blocks for one in series for blocks in one.tiers.get(tier, {}).values()]
    spans = sorted({timing.span for blocks in processes for timing in blocks.values()})
    if not spans:
        return 0.0
    return min((b - a for a, b in pairwise(spans) if b - a > FINEST_TICK), default=spans[0])


def twin_floor(twin: Pairs | None) -> float:
    """Return the spread of process statistics that the A/A twin shows about its known mean, 0."""
    return rms(list(twin.by_process.values())) if twin else 0.0


# --- estimates -----------------------------------------------------------------------------------
def estimate_time(
    series: Series | None, tier: Tier, protocol: Protocol, *, resolution: float = 0.0
) -> Estimate | Missing:
    """Return the median time in seconds with its interval, from the medians of its processes."""
    by_process = series.tiers.get(tier, {}) if series else {}
    if not by_process:
        return Missing(reason=f"no sample on the {tier} tier")
    spans = [timing.span for blocks in by_process.values() for timing in blocks.values()]
    logs = {p: [math.log(t.median) for t in by_process[p].values()] for p in sorted(by_process)}
    return estimate_ratio(
        ByStation(logs, series.stations if series else {}, TIME_SPREAD[tier]),
        protocol,
        blur=hidden_by_clock(spans, resolution),
        what="process medians",
    )


def estimate_ratio(
    blocks: Sequence[Sequence[float]],
    protocol: Protocol,
    *,
    floor: float = 0.0,
    blur: float = 0.0,
    what: str = "paired process statistics",
) -> Estimate | Missing:
    """Return exp(mean) of log statistics, one sequence per process, valid at every planned look."""
    if len(blocks) < 2:
        return Missing(reason=f"{len(blocks)} processes measured it; an interval needs two")
    planned = looks(protocol)
    if isinstance(blocks, ByStation) and blocks.k > 1:
        what = f"{what} of {blocks.k} stations"
    summary = summarise(blocks, floor=floor, blur=blur)
    low, high = interval(summary, level=protocol.level, looks=planned)
    return Estimate(
        value=sig(math.exp(summary.mean)),
        low=sig(_exp(low)),
        high=sig(_exp(high)),
        level=protocol.level,
        method=f"t interval over {what}, level split over {planned} looks",
        n=summary.n,
    )


def _exp(value: float) -> float:
    """Keep the interval of two wild processes finite, so that it can be stored as JSON."""
    return math.exp(min(300.0, max(-300.0, value)))


def twin_pairs(
    series: Mapping[Place, Series], workload: str, study: Study, tier: Tier, resolution: float
) -> Pairs | None:
    """Return the baseline paired with its A/A twin, if both were measured."""
    base = series.get((workload, study.baseline))
    twin = series.get((workload, twin_of(study.baseline)))
    if base is None or twin is None:
        return None
    pairs = pair(base, twin, tier, resolution=resolution)
    return pairs if pairs.n else None
