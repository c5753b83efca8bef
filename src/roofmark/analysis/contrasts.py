"""Contrasts: ratios between two solutions, neither of which need be the baseline.

In: a study's contrasts, the series of both solutions, findings. Out: one `Contrasted` each, with
what differs between the two. Where more than one thing differs, no one of them explains the ratio,
and the contrast says so: confounded. Findings move a contrast as they move a solution over its
workloads, so the two say the same of the same pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roofmark.analysis.compare import Place
from roofmark.analysis.decide import Comparison, Scene, measure_cell, settle_cell, zone_of
from roofmark.analysis.overall import estimate_overall, is_mixed, overall_floor, zone_overall
from roofmark.analysis.solutions import against_whole, settle
from roofmark.analysis.stats import holm
from roofmark.analysis.verdict import Contrasted, Decision, Finding
from roofmark.study import Contrast, Solution, twin_of


def judge_contrasts(
    scene: Scene, comparisons: Mapping[Place, Comparison], findings: Iterable[Finding]
) -> tuple[Contrasted, ...]:
    """Return every contrast; Holm over all of them.

    comparisons: those with the baseline, of which the twin's tell how noisy a ratio is here.
    """
    twin = [c for c in comparisons.values() if c.solution == twin_of(scene.study.baseline)]
    found = [_Found.of(scene, each, twin) for each in scene.study.contrasts]
    corrected = holm([each.p for each in found])
    told = [f for f in findings if f.state == "fires" and f.moves and not f.accepted]
    return tuple(_contrasted(scene, *each, told) for each in zip(found, corrected, strict=True))


@dataclass(frozen=True)
class _Found:
    """A contrast's cells, its zone over all of them, and that zone's p."""

    contrast: Contrast
    cells: tuple[Comparison, ...]
    floor: float
    zone: Decision
    p: float

    @classmethod
    def of(cls, scene: Scene, contrast: Contrast, twin: Sequence[Comparison]) -> "_Found":
        cells = tuple(_compare(scene, workload.id, contrast) for workload in scene.workloads)
        floor = overall_floor(cells, twin)
        zone, p = zone_overall(cells, scene.study.protocol, floor=floor)
        return cls(contrast, cells, floor, zone, p)


def differences(one: Solution, other: Solution) -> tuple[str, ...]:
    """Return what differs, such as "SPLIT 1 -> 8"; another implementation is one thing."""
    params = [
        f"{name} {one.params.get(name, 'unset')} -> {other.params.get(name, 'unset')}"
        for name in sorted(one.params.keys() | other.params.keys())
        if one.params.get(name) != other.params.get(name)
    ]
    others = [name for name in ("target", "flags") if getattr(one, name) != getattr(other, name)]
    sources = ("entry", "sources", "prepare")
    code = any(getattr(one, name) != getattr(other, name) for name in sources)
    return (*params, *(["code"] if code else []), *others)


def _compare(scene: Scene, workload: str, contrast: Contrast) -> Comparison:
    cell = measure_cell(scene, workload, contrast.of, contrast.against)
    zone, p = zone_of(scene.study.protocol, *cell)
    return settle_cell(scene, (workload, contrast.of, contrast.against), cell, zone, p)


def _contrasted(scene: Scene, found: _Found, p: float, findings: Sequence[Finding]) -> Contrasted:
    study, contrast = scene.study, found.contrast
    sides = ("", contrast.of, contrast.against)
    own = [finding for finding in findings if finding.solution in sides]
    decision = settle(found.zone, p, study.protocol)
    mixed = is_mixed(decision, [cell.decision for cell in found.cells])
    if mixed or against_whole(found.cells, own, decision, study.protocol, found.floor):
        decision = "undecided"
    moved = any(finding.moves == "invalid" for finding in own)
    if moved or any(cell.decision == "invalid" for cell in found.cells):
        decision = "invalid"
    changed = differences(study.solution(contrast.against), study.solution(contrast.of))
    return Contrasted(
        name=contrast.name,
        of=contrast.of,
        against=contrast.against,
        decision=decision,
        speedup=estimate_overall(found.cells, study.protocol, floor=found.floor),
        changed=changed,
        confounded=len(changed) > 1,
    )
