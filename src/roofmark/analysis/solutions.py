"""Solutions: each over all its workloads, with what findings about it move.

In: the comparisons of a scene, the cells and findings that were drawn from them. Out: `Overall` for
each solution, corrected for how many there are.
"""

from collections.abc import Iterable, Mapping, Sequence

from roofmark.analysis.compare import Place
from roofmark.analysis.decide import Comparison, Scene
from roofmark.analysis.overall import (
    estimate_fit,
    estimate_overall,
    is_mixed,
    overall_floor,
    zone_overall,
)
from roofmark.analysis.stats import holm
from roofmark.analysis.verdict import Cell, Decision, Finding, Fit, Overall
from roofmark.expressions import evaluate
from roofmark.records import Missing
from roofmark.study import Protocol, Study, twin_of

DECISIONS: tuple[Decision, ...] = ("faster", "slower", "same", "undecided", "invalid")


def judge_solutions(
    scene: Scene,
    comparisons: Mapping[Place, Comparison],
    cells: Sequence[Cell],
    findings: Sequence[Finding],
) -> tuple[Overall, ...]:
    """Judge every solution over its workloads; Holm over the solutions, the twin apart."""
    study, twin = scene.study, twin_of(scene.study.baseline)
    of = {name: [c for c in comparisons.values() if c.solution == name] for name in scene.names}
    floor = {n: overall_floor(of[n], of.get(twin, ()) if n != twin else ()) for n in of}
    zones = {n: zone_overall(of[n], study.protocol, floor=floor[n]) for n in scene.names}
    family = [name for name in scene.names if name != twin]
    corrected = dict(zip(family, holm([zones[name][1] for name in family]), strict=True))
    return tuple(
        _overall(
            scene,
            of[name],
            [cell for cell in cells if cell.solution == name],
            [f for f in findings if f.solution in ("", name, study.baseline)],
            floor=floor[name],
            zone=settle(zones[name][0], corrected.get(name, zones[name][1]), study.protocol),
        )
        for name in scene.names
    )


def settle(zone: Decision, p: float, plan: Protocol) -> Decision:
    """Return the zone if its p, corrected or not, is within the protocol's level."""
    return zone if p <= 1 - plan.level else "undecided"


def _overall(
    scene: Scene,
    own: Sequence[Comparison],
    cells: Sequence[Cell],
    findings: Sequence[Finding],
    *,
    floor: float,
    zone: Decision,
) -> Overall:
    name, plan = cells[0].solution, scene.study.protocol
    mixed = is_mixed(zone, [cell.decision for cell in cells])
    against = against_whole(own, findings, zone, plan, floor)
    decision = "undecided" if mixed or against else zone
    if any(cell.decision == "invalid" for cell in cells):
        decision, against = "invalid", [f for f in _all_moving(findings) if f.moves == "invalid"]
    return Overall(
        solution=name,
        role="twin" if name == twin_of(scene.study.baseline) else "solution",
        decision=decision,
        speedup=estimate_overall(own, plan, floor=floor),
        counts={d: sum(cell.decision == d for cell in cells) for d in DECISIONS},
        codes=codes_of(against),
        mixed=mixed,
        fit=_fit(scene, name),
    )


def against_whole(
    own: Sequence[Comparison],
    findings: Sequence[Finding],
    zone: Decision,
    plan: Protocol,
    floor: float,
) -> list[Finding]:
    """Return the findings that move the whole: a solution over its workloads, or a contrast.

    One unhealthy workload of many must not silence the rest, and must not carry it: the zone has
    to be the same with and without the unhealthy ones.
    """
    active = _all_moving(findings)
    broad = [f for f in active if not f.workload]
    unwell = {f.workload for f in active if f.workload}
    if broad or not unwell:
        return broad
    rest = [cell for cell in own if cell.workload not in unwell]
    without = settle(*zone_overall(rest, plan, floor=floor), plan) if rest else "undecided"
    return [] if without == zone else active


def _all_moving(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.state == "fires" and f.moves and not f.accepted]


def _fit(scene: Scene, name: str) -> Fit | Missing:
    series = [scene.series[w.id, name] for w in scene.workloads if (w.id, name) in scene.series]
    try:
        traffic = {w.id: cost_of(scene.study, w.id)[0] for w in scene.workloads}
    except ValueError as error:
        return Missing(reason=f"the traffic cannot be computed: {error}")
    return estimate_fit(name, traffic, series, scene.tier, scene.study.protocol)


def codes_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the codes of findings, each once, in order."""
    return tuple(sorted({finding.code for finding in findings}))


def cost_of(study: Study, workload: str) -> tuple[int, int]:
    """Return (traffic in bytes, flops) of one call. Raises: ValueError as `evaluate`."""
    bound = next(w for w in study.workloads if w.id == workload)
    axes = study.axes(bound)
    return evaluate(study.definition.traffic, axes), evaluate(study.definition.flops, axes)
