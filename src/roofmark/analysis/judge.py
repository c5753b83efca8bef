"""Judge: from a bundle to its verdict; the same bytes give the same verdict anywhere.

In: study, environment, run, traces, builds. Out: `Verdict`. Every cell starts at `undecided`, is
moved by its interval (decide.py), and may be moved back, or to `invalid`, by findings (rules/). A
finding about a cell moves that cell, one about a solution all its cells, one about the study all.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UnsetType
from msgspec.structs import replace

from roofmark.analysis.bounds import classify
from roofmark.analysis.compare import Place, Series, estimate_ratio, estimate_time, pair
from roofmark.analysis.contrasts import judge_contrasts
from roofmark.analysis.decide import DOOMED, Comparison, Scene, compare_cells, set_scene
from roofmark.analysis.decide import undecided_workloads as undecided_workloads
from roofmark.analysis.leg_evidence import LegEvidence, collect_legs
from roofmark.analysis.roofline import roof
from roofmark.analysis.rules import Case, apply_rules, loaded_plugins
from roofmark.analysis.rules.facts import FACTS
from roofmark.analysis.solutions import codes_of, cost_of, judge_solutions
from roofmark.analysis.station_results import judge_stations
from roofmark.analysis.stats import sig
from roofmark.analysis.verdict import (
    Bound,
    Cell,
    Decision,
    Estimate,
    Finding,
    Overall,
    Roof,
    Verdict,
)
from roofmark.bundle import Bundle
from roofmark.evidence import Build, Environment, Passed, Reported, Run, Trace
from roofmark.profiled import PairProfile
from roofmark.records import Missing
from roofmark.stations import Station
from roofmark.study import Study, Tier, twin_of


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with the arithmetic that it was drawn from."""

    verdict: Verdict
    scene: Scene
    comparisons: Mapping[Place, Comparison]


def judge_bundle(bundle: Bundle) -> Verdict:
    """Return the verdict that follows from a bundle; it cites the bundle's digest.

    Raises: BundleError RM402 or RM404 when a record in it cannot be read or a build is missing.
    """
    return judge_whole(bundle).verdict


def judge_whole(bundle: Bundle) -> Judged:
    """Return the verdict of a bundle with its scene, for those who need both. Raises: as above."""
    traces = list(bundle.traces())
    wanted = sorted({t.outcome.build for t in traces if isinstance(t.outcome, Passed)})
    return _judge(
        bundle.study,
        bundle.environment,
        bundle.run,
        traces,
        {name: bundle.build(name) for name in wanted},
        digest=bundle.digest,
        profiles={(each.workload, each.solution): each for each in bundle.profiles()},
        stations=bundle.stations(),
        legs=collect_legs(bundle),
    )


def judge_over(judged: Judged, workloads: Collection[str]) -> tuple[Overall, ...]:
    """Return each solution over some of the workloads, with the findings that are about them."""
    verdict = judged.verdict
    return judge_solutions(
        judged.scene,
        {place: each for place, each in judged.comparisons.items() if place[0] in workloads},
        [cell for cell in verdict.cells if cell.workload in workloads],
        [each for each in verdict.findings if each.workload in ("", *workloads)],
    )


def judge_traces(
    study: Study,
    environment: Environment,
    run: Run,
    traces: Iterable[Trace],
    builds: Mapping[str, Build],
    *,
    digest: str,
    profiles: Mapping[Place, PairProfile] | None = None,
    stations: Sequence[Station] = (),
    legs: LegEvidence | None = None,
) -> Verdict:
    """Return the verdict that follows from the parts of a bundle. builds: digest -> Build."""
    return _judge(
        study,
        environment,
        run,
        traces,
        builds,
        digest=digest,
        profiles=profiles or {},
        stations=stations,
        legs=legs or LegEvidence(),
    ).verdict


def _judge(
    study: Study,
    environment: Environment,
    run: Run,
    traces: Iterable[Trace],
    builds: Mapping[str, Build],
    *,
    digest: str,
    profiles: Mapping[Place, PairProfile],
    stations: Sequence[Station],
    legs: LegEvidence,
) -> Judged:
    scene = set_scene(study, run.device, traces)
    comparisons = compare_cells(scene)
    cells = {
        place: _cell(scene, environment, comparison) for place, comparison in comparisons.items()
    }
    case = Case(
        scene=scene,
        environment=environment,
        run=run,
        builds=dict(builds),
        comparisons=comparisons,
        cells=cells,
        profiles=profiles,
        stations=tuple(stations),
        legs=legs,
    )
    for place, cell in cells.items():
        cells[place] = replace(cell, bound=_bound(case, place))
    findings = apply_rules(case)
    moved = tuple(_moved(cell, findings, study.baseline) for cell in cells.values())
    overall = judge_solutions(scene, comparisons, moved, findings)
    verdict = Verdict(
        bundle=digest,
        study=study.title or study.definition.name,
        device=run.device,
        device_name=device_name(environment),
        tier=scene.tier,
        cache=study.protocol.cache,
        margin=study.protocol.margin,
        level=study.protocol.level,
        baseline=study.baseline,
        processes=len({t.process for s in scene.series.values() for t in s.traces}),
        decision=_agreement(overall),
        settled=_settled(moved, study),
        overall=overall,
        contrasts=judge_contrasts(scene, comparisons, findings),
        cells=moved,
        findings=findings,
        accepted=tuple(sorted({f.code for f in findings if f.accepted and f.state == "fires"})),
        plugins=loaded_plugins(),
        stations=judge_stations(
            scene, comparisons, stations, {s.id: device_name(s.environment) for s in stations}
        ),
    )
    return Judged(verdict, scene, comparisons)


def device_name(environment: Environment) -> str:
    """Return the product that was measured, as its driver or its system names it."""
    if environment.device == "cuda" and not isinstance(environment.gpu, Missing):
        return environment.gpu.name
    return environment.cpu.model if isinstance(environment.cpu.model, str) else "unknown CPU"


def _settled(cells: Sequence[Cell], study: Study) -> bool:
    of_solutions = [cell for cell in cells if cell.solution != twin_of(study.baseline)]
    return bool(of_solutions) and all(cell.decision != "undecided" for cell in of_solutions)


def _agreement(overall: Sequence[Overall]) -> Decision:
    decisions: set[Decision] = {each.decision for each in overall if each.role == "solution"}
    if len(decisions) != 1:
        return "undecided"
    return decisions.pop()


def _bound(case: Case, place: Place) -> Bound | Missing:
    """Return the bound by counters where there are any, else by times alone."""
    if not isinstance(case.study.serving, UnsetType):
        return Missing(reason="an engine is no kernel; its kernel table says where its time goes")
    counted = FACTS["counted"](case, place)
    return classify(FACTS["loads"](case, place) if isinstance(counted, Missing) else counted)


# --- cells ---------------------------------------------------------------------------------------
def _cell(scene: Scene, environment: Environment, comparison: Comparison) -> Cell:
    place = (comparison.workload, comparison.solution)
    own = scene.series.get(place)
    base = scene.series.get((comparison.workload, scene.study.baseline))
    doomed = comparison.fate in DOOMED
    time = Missing(reason=comparison.fate) if doomed else time_of(scene, own)
    return Cell(
        workload=comparison.workload,
        solution=comparison.solution,
        decision=comparison.decision,
        time=time,
        baseline_time=time_of(scene, base),
        speedup=_speedup(scene, comparison),
        p=sig(comparison.p),
        codes=(),
        roof=_roof(scene.study, comparison.workload, time, environment),
        bound=Missing(reason="not classified yet"),
        other_tiers={} if doomed else _other_tiers(scene, base, own),
        outcome=comparison.fate,
    )


def time_of(scene: Scene, series: Series | None) -> Estimate | Missing:
    """Return the time on the deciding tier; a reported number, having no interval, as a reason."""
    for trace in series.traces if series else ():
        if isinstance(trace.outcome, Reported):
            said = trace.outcome
            return Missing(reason=f"{said.tool} reported {sig(said.seconds)} s without samples")
    estimate = estimate_time(series, scene.tier, scene.study.protocol, resolution=scene.resolution)
    if isinstance(estimate, Missing) and series:
        absent = [p.absent[scene.tier] for _, p in series.passed() if scene.tier in p.absent]
        return Missing(reason=absent[0]) if absent else estimate
    return estimate


def _speedup(scene: Scene, comparison: Comparison) -> Estimate | Missing:
    for fate, whose in ((comparison.fate, ""), (comparison.baseline_fate, "the baseline is ")):
        if fate != "passed":
            return Missing(reason=whose + fate.replace("_", " "))
    if comparison.pairs is None:
        return Missing(reason=f"no pair with the baseline on the {scene.tier} tier")
    return estimate_ratio(
        comparison.pairs.blocks,
        scene.study.protocol,
        floor=comparison.floor,
        blur=comparison.pairs.blur,
    )


def _other_tiers(scene: Scene, base: Series | None, own: Series | None) -> dict[Tier, Estimate]:
    """Speed-ups on the tiers that do not decide; never set against the deciding one."""
    found: dict[Tier, Estimate] = {}
    if base is None or own is None:
        return found
    for tier in sorted((base.tiers.keys() & own.tiers.keys()) - {scene.tier}):
        pairs = pair(base, own, tier)
        estimate = estimate_ratio(pairs.blocks, scene.study.protocol)
        if isinstance(estimate, Estimate):
            found[tier] = estimate
    return found


def _roof(
    study: Study, workload: str, time: Estimate | Missing, environment: Environment
) -> Roof | Missing:
    if isinstance(time, Missing):
        return Missing(reason="no time to set against a roof")
    try:
        traffic, flops = cost_of(study, workload)
    except ValueError as error:
        return Missing(reason=f"the cost cannot be computed: {error}")
    if traffic == 0:
        return Missing(reason="the study does not say what a token costs")
    return roof(traffic, flops, time.value, environment)


# --- findings move ---------------------------------------------------------------------------
def moving(findings: Iterable[Finding], place: Place, baseline: str) -> list[Finding]:
    """Return the findings that fire, move, are not accepted, and are about this cell.

    What is wrong with the baseline is wrong with every cell that is measured against it.
    """
    workload, solution = place
    return [
        f
        for f in findings
        if f.state == "fires"
        and f.moves
        and not f.accepted
        and f.workload in ("", workload)
        and f.solution in ("", solution, baseline)
    ]


def _moved(cell: Cell, findings: Sequence[Finding], baseline: str) -> Cell:
    against = moving(findings, (cell.workload, cell.solution), baseline)
    decision = _worst(cell.decision, against)
    return replace(cell, decision=decision, codes=codes_of(against))


def _worst(decision: Decision, findings: Sequence[Finding]) -> Decision:
    moves = {finding.moves for finding in findings}
    if "invalid" in moves or decision == "invalid":
        return "invalid"
    return "undecided" if moves else decision
