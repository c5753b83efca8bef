"""Memory gate: does a solution hold more memory than it did?

In: per cell what each process took (peak less what it held before the workload), then and now. Out:
`MemoryGate`. Memory is no noisy quantity: a cell passes when no process is above the limit, fails
when every process is, and is undecided between. The limit is the most of any process then, plus the
margin, plus a slack that no allocation of interest is as small as.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from roofmark.analysis.baseline import Baseline, PinnedCell
from roofmark.analysis.compare import Place
from roofmark.analysis.decide import Scene, set_scene
from roofmark.analysis.gated import GateDecision, together
from roofmark.analysis.judge import device_name
from roofmark.analysis.memory import memory_of
from roofmark.analysis.paired_gate import NOW, WAS, name_at
from roofmark.bundle import Bundle
from roofmark.records import Missing, Record
from roofmark.study import Device
from roofmark.units import Bytes, Ratio

Observer = Literal["host", "allocator", "driver", "leg"]
Taken = Mapping[str, tuple[Bytes, ...]]
"""Observer -> what each process took."""

OBSERVERS: dict[Device, tuple[Observer, ...]] = {
    "cpu": ("host", "leg"),
    "cuda": ("allocator", "driver", "leg"),
}
"""Who decides on each device; on a GPU the host's memory is mostly the driver's own."""
MEMORY_MARGIN = 0.10
"""Chosen: what serving teams gate device memory at; one workspace more is below it."""
SLACK = 4 * 2**20
"""Chosen: two pages of 2 MiB, by which a resident set or an allocator's pool moves by itself."""


class MemoryCell(Record):
    """One solution on one workload. was, now: the most that a process took."""

    workload: str
    solution: str
    observer: Observer
    decision: GateDecision
    because: str
    was: Bytes
    now: Bytes | Missing


class MemoryGate(Record, tag="memory"):
    """The answer; cites the bundle by sha256."""

    bundle: str
    study: str
    device_name: str
    decision: GateDecision
    margin: Ratio
    slack: Bytes
    cells: tuple[MemoryCell, ...]


def gate_pinned_memory(
    pin: Baseline, fresh: Baseline, chosen: Sequence[PinnedCell], margin: Ratio
) -> MemoryGate | None:
    """Gate what a bundle would pin against cells of a pin; None where these have no memory."""
    now = {(cell.workload, cell.solution): cell.memory for cell in fresh.cells}
    was = {(cell.workload, cell.solution): cell.memory for cell in chosen}
    cells = tuple(_cells(was, now, OBSERVERS[pin.device], margin))
    return _gate(cells, (fresh.bundle, pin.study, fresh.device_name), margin)


def gate_paired_memory(bundle: Bundle, margin: Ratio) -> MemoryGate | None:
    """Gate both sides of a paired bundle; None where memory was not observed."""
    scene = set_scene(bundle.study, bundle.run.device, bundle.traces())
    was, now = (_side(scene, side) for side in (WAS, NOW))
    cells = tuple(_cells(was, now, OBSERVERS[scene.device], margin))
    study = bundle.study.title or bundle.study.definition.name
    return _gate(cells, (bundle.digest, study, device_name(bundle.environment)), margin)


def _side(scene: Scene, side: str) -> dict[Place, Taken]:
    return {
        (workload.id, contrast.name): memory_of(series)
        for contrast in scene.study.contrasts
        for workload in scene.workloads
        if (series := scene.series.get((workload.id, name_at(contrast.name, side))))
    }


def _gate(
    cells: tuple[MemoryCell, ...], about: tuple[str, str, str], margin: Ratio
) -> MemoryGate | None:
    if not cells:
        return None
    return MemoryGate(
        bundle=about[0],
        study=about[1],
        device_name=about[2],
        decision=together(cell.decision for cell in cells),
        margin=margin,
        slack=SLACK,
        cells=cells,
    )


def _cells(
    was: Mapping[Place, Taken],
    now: Mapping[Place, Taken],
    observers: tuple[Observer, ...],
    margin: Ratio,
) -> Iterator[MemoryCell]:
    for place, before in was.items():
        for observer in observers:
            if before.get(observer):
                after = now.get(place, {}).get(observer, ())
                yield _cell(place, observer, before[observer], after, margin)


def _cell(
    place: Place,
    observer: Observer,
    was: tuple[Bytes, ...],
    now: tuple[Bytes, ...],
    margin: Ratio,
) -> MemoryCell:
    limit = int(max(was) * (1 + margin)) + SLACK
    decision: GateDecision = "undecided"
    because = "not observed now"
    if now:
        decision = "pass" if max(now) <= limit else "fail" if min(now) > limit else "undecided"
        because = f"{_mib(min(now))} to {_mib(max(now))}, limit {_mib(limit)}"
    return MemoryCell(
        workload=place[0],
        solution=place[1],
        observer=observer,
        decision=decision,
        because=because,
        was=max(was),
        now=max(now) if now else Missing(reason="not observed"),
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
