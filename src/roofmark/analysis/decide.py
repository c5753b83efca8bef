"""Decide: which zone each cell's interval fits, corrected for being one of many.

In: the series of a study. Out: one `Comparison` per planned cell with its decision. This is also
the stopping rule's arithmetic, so a run stops on exactly what the verdict will say.

The family of the Holm correction is every planned (workload, solution) cell. The twin's cells stand
outside it: they are a control, and a correction would blunt the alarm, not guard a claim.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from roofmark.analysis.compare import (
    Pairs,
    Place,
    Series,
    collect_series,
    find_resolution,
    looks,
    pair,
    tier_that_decides,
    twin_floor,
    twin_pairs,
)
from roofmark.analysis.stats import Summary, classify, holm, summarise
from roofmark.analysis.verdict import Decision
from roofmark.evidence import BuildFailed, Crashed, Incorrect, Passed, Reported, TimedOut, Trace
from roofmark.study import Device, Protocol, Solution, Study, Tier, Workload, twin_of

# Chosen: one time-out can be the machine's doing; a second one on the same workload is the
# solution's. Everything else that fails would fail again.
TIMEOUTS_THAT_COUNT = 2

Fate = Literal[
    "passed", "incorrect", "build_failed", "crashed", "timed_out", "reported", "not measured"
]
_WORST_FIRST: tuple[tuple[type, Fate], ...] = (
    (Incorrect, "incorrect"),
    (BuildFailed, "build_failed"),
    (Crashed, "crashed"),
)
DOOMED: frozenset[Fate] = frozenset(("incorrect", "build_failed", "crashed", "timed_out"))


@dataclass(frozen=True, slots=True)
class Scene:
    """A study's series on the tier that decides, with the clock's tick and the planned cells."""

    study: Study
    device: Device
    tier: Tier
    series: dict[Place, Series]
    resolution: float
    workloads: tuple[Workload, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One cell against the baseline, before health has its say.

    p is corrected for looks, and (solutions only) for the family.
    """

    workload: str
    solution: str
    fate: Fate
    baseline_fate: Fate
    pairs: Pairs | None
    floor: float
    decision: Decision
    p: float


def fate_of(series: Series | None) -> Fate:
    """Return what became of one solution on one workload, the worst first."""
    outcomes = [trace.outcome for trace in series.traces] if series else []
    for kind, name in _WORST_FIRST:
        if any(isinstance(outcome, kind) for outcome in outcomes):
            return name
    if sum(isinstance(outcome, TimedOut) for outcome in outcomes) >= TIMEOUTS_THAT_COUNT:
        return "timed_out"
    if any(isinstance(outcome, Passed) for outcome in outcomes):
        return "passed"
    if any(isinstance(outcome, Reported) for outcome in outcomes):
        return "reported"
    return "not measured"


def set_scene(study: Study, device: Device, traces: Iterable[Trace]) -> Scene:
    """Group the traces and say which cells were planned.

    A held-out workload is planned once it has a trace; a solution that has none anywhere was
    skipped on this machine and is planned nowhere.
    """
    series = collect_series(study, traces)
    tier = tier_that_decides(study.protocol, device)
    measured = {place[0] for place in series}
    seen = {place[1] for place in series}
    candidates = [s.name for s in study.solutions if _competes(s, study, device)]
    return Scene(
        study=study,
        device=device,
        tier=tier,
        series=series,
        resolution=find_resolution(series.values(), tier),
        workloads=tuple(w for w in study.workloads if not w.held_out or w.id in measured),
        names=tuple(n for n in (*candidates, twin_of(study.baseline)) if n in seen),
    )


def _competes(solution: Solution, study: Study, device: Device) -> bool:
    return solution.name != study.baseline and device in solution.runs_on


def compare_cells(scene: Scene) -> dict[Place, Comparison]:
    """Return every planned cell with its decision, in the study's order."""
    twin = twin_of(scene.study.baseline)
    cells = {
        (workload.id, name): measure_cell(scene, workload.id, name, scene.study.baseline)
        for workload in scene.workloads
        for name in scene.names
    }
    raw = {place: zone_of(scene.study.protocol, *cell) for place, cell in cells.items()}
    family = [place for place in cells if place[1] != twin]
    corrected = dict(zip(family, holm([raw[place][1] for place in family]), strict=True))
    return {
        place: settle_cell(
            scene,
            (*place, scene.study.baseline),
            cell,
            raw[place][0],
            corrected.get(place, raw[place][1]),
        )
        for place, cell in cells.items()
    }


def measure_cell(
    scene: Scene, workload: str, name: str, against: str
) -> tuple[Pairs | None, float]:
    """Return a solution's pairs with another one, and the floor that the twin sets."""
    base = scene.series.get((workload, against))
    other = scene.series.get((workload, name))
    floor = 0.0
    if name != twin_of(scene.study.baseline):
        control = twin_pairs(scene.series, workload, scene.study, scene.tier, scene.resolution)
        floor = twin_floor(control)
    if base is None or other is None:
        return None, floor
    pairs = pair(base, other, scene.tier, resolution=scene.resolution)
    return (pairs if pairs.n else None), floor


def zone_of(protocol: Protocol, pairs: Pairs | None, floor: float) -> tuple[Decision, float]:
    """Return the zone and its p; before the fewest processes there is no look, so there is none."""
    if pairs is None or pairs.n < protocol.processes[0]:
        return "undecided", 1.0
    return classify(summary_of(pairs, floor), margin=protocol.margin, looks=looks(protocol))


def summary_of(pairs: Pairs, floor: float) -> Summary:
    """Summarise paired log ratios with the twin's floor and the clock's blur."""
    return summarise(pairs.blocks, floor=floor, blur=pairs.blur)


def settle_cell(
    scene: Scene,
    place: tuple[str, str, str],
    cell: tuple[Pairs | None, float],
    zone: Decision,
    p: float,
) -> Comparison:
    """Return the comparison of (workload, solution, against whom) once its p is corrected."""
    workload, name, against = place
    fate = fate_of(scene.series.get((workload, name)))
    baseline_fate = fate_of(scene.series.get((workload, against)))
    decision: Decision = zone if p <= 1 - scene.study.protocol.level else "undecided"
    if fate in DOOMED or baseline_fate in DOOMED:
        decision = "invalid"
    return Comparison(
        workload,
        name,
        fate=fate,
        baseline_fate=baseline_fate,
        pairs=cell[0],
        floor=cell[1],
        decision=decision,
        p=p,
    )


def undecided_workloads(study: Study, device: Device, traces: Iterable[Trace]) -> set[str]:
    """Return the ids of workloads with a cell (of a solution or the twin) not decided yet.

    A cell that more processes cannot decide holds nothing up: incorrect, not built, crashed, timed
    out twice, against a baseline that is, or without the tier that decides. Without any trace
    every workload but the held-out is open.
    """
    scene = set_scene(study, device, traces)
    if not scene.series:
        return {workload.id for workload in scene.workloads}
    return {
        workload
        for (workload, name), cell in compare_cells(scene).items()
        if cell.decision == "undecided"
        and not _hopeless(scene, workload, name)
        and not _hopeless(scene, workload, study.baseline)
    }


def _hopeless(scene: Scene, workload: str, name: str) -> bool:
    """Whether it ran, and every time without a sample on the tier that decides."""
    series = scene.series.get((workload, name))
    return series is not None and bool(series.passed()) and scene.tier not in series.tiers
