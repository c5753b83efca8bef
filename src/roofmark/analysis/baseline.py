"""Baseline: what a pin keeps of a bundle, so that a later bundle can be gated against it.

In: the parts of a bundle. Out: `Baseline`: per cell the figure of every process (the noise between
processes travels with the pin), its samples' digest, and the state of the host. Nothing here
decides whether a bundle is fit to be pinned (pinning.py) or what a later one is worth (gate.py).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Annotated, Literal

from msgspec import Meta

from roofmark.analysis.compare import Series, estimate_ratio, estimate_time, twin_pairs
from roofmark.analysis.decide import Scene, fate_of, measure_cell
from roofmark.analysis.memory import memory_of
from roofmark.analysis.rules.throttled import REASONS
from roofmark.analysis.stats import (
    deviation,
    hidden_by_clock,
    mean,
    rms,
    sig,
    spread_within,
)
from roofmark.analysis.verdict import Estimate
from roofmark.evidence import Build, CpuReading, Environment, GpuReading, Passed
from roofmark.records import Missing, Record, digest
from roofmark.study import CacheState, Device, Positive, Tier, twin_of
from roofmark.units import Bytes, Celsius, Hertz, Ratio

Metric = Literal["speedup", "time"]
METRICS: tuple[Metric, ...] = ("speedup", "time")


class Pinned(Record, tag="pinned"):
    """One metric of one cell.

    values: one per process, in order; seconds, or the time of the study's baseline over the
        solution's. spread: standard deviation of a process's log value, no less than its own
        blocks and the A/A twin explain. blur: what the clock can hide of the log.
    """

    values: Annotated[tuple[Positive, ...], Meta(min_length=2)]
    spread: Ratio
    blur: Ratio
    estimate: Estimate


class PinnedCell(Record, tag="pinned cell", omit_defaults=True):
    """One solution on one workload. samples, sha256: of everything measured on the tier.

    memory: observer -> what each process took; none in pins made before it was observed, whose own
        sha256 stays what it was because an empty one is not written.
    """

    workload: str
    solution: str
    time: Pinned
    speedup: Pinned | Missing
    samples: int
    sha256: str
    memory: dict[str, tuple[Bytes, ...]] = {}

    def metric(self, metric: Metric) -> Pinned | Missing:
        """Return one of its metrics."""
        return self.time if metric == "time" else self.speedup


class HostState(Record):
    """The readings of a run, summed up.

    sm_clock: lowest, median and highest. throttled: readings with a protective slow-down (RM301).
    load: median of the readings. stolen: highest share that the hypervisor gave to others.
    """

    readings: int
    sm_clock: tuple[Hertz, Hertz, Hertz] | Missing
    temperature: Celsius | Missing
    throttled: int | Missing
    load: float | Missing
    stolen: Ratio | Missing


class Change(Record):
    """What replacing a pin does to one metric of one cell; Missing on the side that lacks it."""

    cell: str
    metric: Metric
    was: float | Missing
    now: float | Missing

    @property
    def share(self) -> float | Missing:
        """Return by how much it grew, as a ratio minus one."""
        if isinstance(self.was, Missing) or isinstance(self.now, Missing):
            return Missing(reason="one pin lacks it")
        return self.now / self.was - 1


class Repinned(Record):
    """One replacement of a pin: when, why, the bundle that was replaced, and what it changed."""

    date: str
    reason: str
    bundle: str
    changes: tuple[Change, ...]


class Baseline(Record, tag="baseline"):
    """A pin: what later bundles of the same study are gated against.

    bundle: sha256 of the bundle's manifest. study_digest, definition: sha256 of the records.
    workloads: id -> sha256. baseline_source: sha256 of the study baseline's sources.
    control: what the A/A twin's mean is off by (rms over workloads), the part of the noise that
        no number of processes averaged away. lost: "workload/solution" -> why it has no cell.
    forced: the guards that were overridden.
    date: ISO 8601, UTC. sha256: of this record with "" in this place.
    """

    roofmark: str
    date: str
    reason: str
    metric: Metric
    bundle: str
    study: str
    study_digest: str
    definition: str
    workloads: dict[str, str]
    device: Device
    device_name: str
    tier: Tier
    cache: CacheState
    margin: Ratio
    baseline: str
    baseline_source: str | Missing
    control: Ratio
    host: HostState
    environment: Environment
    cells: tuple[PinnedCell, ...]
    lost: dict[str, str]
    forced: tuple[str, ...] = ()
    history: tuple[Repinned, ...] = ()
    sha256: str = ""


def cell_name(workload: str, solution: str) -> str:
    """Return how a cell is called wherever it is one word."""
    return f"{workload}/{solution}"


# --- cells ---------------------------------------------------------------------------------------
def measure_cells(scene: Scene) -> dict[tuple[str, str], PinnedCell | Missing]:
    """Return every cell, the study's baseline among them; Missing says what became of it."""
    names = (scene.study.baseline, *scene.names)
    twin = twin_of(scene.study.baseline)
    return {
        (workload.id, name): _cell(scene, workload.id, name)
        for workload in scene.workloads
        for name in names
        if name != twin
    }


def _cell(scene: Scene, workload: str, name: str) -> PinnedCell | Missing:
    series = scene.series.get((workload, name))
    fate = fate_of(series)
    if series is None or fate != "passed":
        return Missing(reason=fate.replace("_", " "))
    time = _time(scene, series)
    if isinstance(time, Missing):
        return time
    measured = [
        [visit.samples for visit in m.visits]
        for _, outcome in series.passed()
        for m in outcome.measurements
        if m.tier == scene.tier
    ]
    return PinnedCell(
        workload=workload,
        solution=name,
        time=time,
        speedup=_speedup(scene, workload, name),
        samples=sum(len(samples) for visits in measured for samples in visits),
        sha256=_digest_of(measured),
        memory=memory_of(series),
    )


def _digest_of(measured: Sequence[Sequence[Sequence[float]]]) -> str:
    """Return the sha256 of samples: one line per process, shortest decimal form."""
    lines = [" ".join(repr(s) for visit in process for s in visit) for process in measured]
    return digest("\n".join(lines).encode())


def _time(scene: Scene, series: Series) -> Pinned | Missing:
    plan = scene.study.protocol
    estimate = estimate_time(series, scene.tier, plan, resolution=scene.resolution)
    if isinstance(estimate, Missing):
        return estimate
    processes = [blocks for _, blocks in sorted(series.tiers[scene.tier].items())]
    logs = [[math.log(t.median) for t in blocks.values()] for blocks in processes]
    spans = [timing.span for blocks in processes for timing in blocks.values()]
    # A ratio of two equal programs has twice the variance of one of them.
    floor = measure_cell(scene, series.workload, series.solution, scene.study.baseline)[1]
    blur = hidden_by_clock(spans, scene.resolution) if scene.resolution else 0.0
    return _pinned(logs, estimate, floor=floor / math.sqrt(2), blur=blur)


def _speedup(scene: Scene, workload: str, name: str) -> Pinned | Missing:
    if name == scene.study.baseline:
        return Missing(reason="it is the study's baseline")
    pairs, floor = measure_cell(scene, workload, name, scene.study.baseline)
    if pairs is None:
        return Missing(reason=f"no pair with the baseline on the {scene.tier} tier")
    blocks = pairs.blocks
    estimate = estimate_ratio(blocks, scene.study.protocol, floor=floor, blur=pairs.blur)
    if isinstance(estimate, Missing):
        return estimate
    return _pinned(blocks, estimate, floor=floor, blur=pairs.blur)


def _pinned(
    logs: Sequence[Sequence[float]], estimate: Estimate, *, floor: float, blur: float
) -> Pinned:
    middles = [median(blocks) for blocks in logs]
    return Pinned(
        values=tuple(sig(math.exp(each)) for each in middles),
        spread=sig(max(deviation(middles), spread_within(logs), floor)),
        blur=sig(blur),
        estimate=estimate,
    )


def control_of(scene: Scene) -> Ratio:
    """Return the rms over workloads of the twin's mean log ratio; 0 without a twin."""
    found = (
        twin_pairs(scene.series, w.id, scene.study, scene.tier, scene.resolution)
        for w in scene.workloads
    )
    return sig(rms([mean(list(pairs.by_process.values())) for pairs in found if pairs]))


# --- host ----------------------------------------------------------------------------------------
def host_state(series: Iterable[Series]) -> HostState:
    """Return the summary of every reading of a run."""
    passed = [outcome for each in series for _, outcome in each.passed()]
    readings = [reading for outcome in passed for reading in outcome.readings]
    gpu = [each for each in readings if isinstance(each, GpuReading)]
    cpu = [each for each in readings if isinstance(each, CpuReading)]
    no_gpu, no_cpu = Missing(reason="no GPU was read"), Missing(reason="no CPU was read")
    clocks = [each.sm_clock for each in gpu]
    return HostState(
        readings=len(readings),
        sm_clock=(min(clocks), median(clocks), max(clocks)) if clocks else no_gpu,
        temperature=max(each.temperature for each in gpu) if gpu else no_gpu,
        throttled=sum(any(g.throttle & bit for bit in REASONS) for g in gpu) if gpu else no_gpu,
        load=median(each.load for each in cpu) if cpu else no_cpu,
        stolen=max(each.stolen for each in cpu) if cpu else no_cpu,
    )


def source_of(scene: Scene, builds: Mapping[str, Build]) -> str | Missing:
    """Return the digest of the study baseline's sources, as its build proves them."""
    for (_, name), series in scene.series.items():
        for trace in series.traces if name == scene.study.baseline else ():
            if isinstance(trace.outcome, Passed) and trace.outcome.build in builds:
                return builds[trace.outcome.build].source
    return Missing(reason="the baseline has no build")


# --- change --------------------------------------------------------------------------------------
def changes_of(old: Baseline, new: Baseline) -> tuple[Change, ...]:
    """Return what a new pin changes, per cell and metric; cells come and gone too."""
    before = {(c.workload, c.solution): c for c in old.cells}
    after = {(c.workload, c.solution): c for c in new.cells}
    found: list[Change] = []
    for place in dict.fromkeys((*before, *after)):
        for metric in METRICS:
            was, now = (_value(cells.get(place), metric) for cells in (before, after))
            if not (isinstance(was, Missing) and isinstance(now, Missing)):
                found.append(Change(cell=cell_name(*place), metric=metric, was=was, now=now))
    return tuple(found)


def _value(cell: PinnedCell | None, metric: Metric) -> float | Missing:
    pinned = cell.metric(metric) if cell else Missing(reason="absent")
    return pinned if isinstance(pinned, Missing) else pinned.estimate.value
