"""Paired gate: is any solution slower than it was at another revision, both measured side by side?

In: a bundle in which each gated solution stands twice, as it was and as it is now, and a contrast
names the two. Out: `PairedGate`. With the n processes' median log ratios of time now over then,

    shift = their mean,    half = t(1 - a, n - 1) * error + blur,    a = alarm / (cells * looks)

where `error` is that of stats.py, with the A/A twin's floor for the solution that has the twin. No
spread between runs comes in: both sides ran in the same run, so a machine that drifts slows both.
Findings about the host (a throttled, drifting or busy one) are told and move nothing: both sides
ran through it in turn, AB then BA, and what it did to one of them alone widens the interval. What
moves a cell is what pairing does not cancel: a twin that differs, ratios in two groups, a coarse
clock.
The margin is the protocol's, the alarm 1 - level; so the stopping rule, a resumed run and a judge
on another machine decide by the study alone. Measured by benchmarks/gate.py --paired.
Source: Student's t; Bonferroni's inequality over cells and looks.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace
from scipy.special import stdtr, stdtrit

from roofmark.analysis.compare import Pairs, looks
from roofmark.analysis.decide import (
    DOOMED,
    Fate,
    Scene,
    fate_of,
    measure_cell,
    set_scene,
    summary_of,
)
from roofmark.analysis.gated import GatedCell, GateDecision, decide, together, told
from roofmark.analysis.judge import device_name, judge_bundle, time_of
from roofmark.analysis.rules.bimodal import FEWEST, separation
from roofmark.analysis.shift import WIDEST
from roofmark.analysis.stats import sig, split_in_two
from roofmark.analysis.verdict import Difference, Estimate, Finding
from roofmark.bundle import Bundle
from roofmark.evidence import Trace
from roofmark.records import Missing, Record
from roofmark.study import Contrast, Device, Study
from roofmark.units import Ratio

WAS, NOW = "was", "now"
"""Suffixes of the two names of a gated solution; its contrast has its own."""
EVERYWHERE = "all workloads"
# Chosen: what slows both sides alike. RM306 looks at times, which fall into two groups with every
# change of the host; here the ratios are asked (`_modes`).
SHARED = frozenset(("RM301", "RM303", "RM304", "RM305", "RM306", "RM309", "RM310", "RM311"))


class PairedGate(Record, tag="revision"):
    """The answer of a gate between two revisions; cites its bundle by sha256.

    was, now: the two revisions in words. bundle, device_name: Missing where nothing had to be
    measured. host: what findings say of the machine that both sides ran on. each: probability per
    cell and look that unchanged code fails it. unchanged: solution -> what of it is the same.
    only_was, only_now: solutions and workloads of one side, not gated. differences: what else
    differs between the two studies.
    """

    was: str | Missing
    now: str | Missing
    bundle: str | Missing
    study: str
    device_name: str | Missing
    decision: GateDecision
    alarm: Ratio
    each: Ratio
    looks: int
    margin: Ratio
    cells: tuple[GatedCell, ...]
    unchanged: dict[str, str] = {}
    only_was: tuple[str, ...] = ()
    only_now: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    host: tuple[str, ...] = ()


def name_at(solution: str, side: str) -> str:
    """Return under which name a side of a solution is measured."""
    return f"{solution}.{side}"


def is_paired(study: Study) -> bool:
    """Return whether every contrast of a study is one solution as it was and as it is."""
    return bool(study.contrasts) and all(
        (c.against, c.of) == (name_at(c.name, WAS), name_at(c.name, NOW)) for c in study.contrasts
    )


def gate_pairs(bundle: Bundle) -> PairedGate:
    """Return what a paired bundle says; its study's title names the revisions."""
    study, plan = bundle.study, bundle.study.protocol
    scene = set_scene(study, bundle.run.device, bundle.traces())
    verdict = judge_bundle(bundle)
    named = Missing(reason="the title of the bundle's study names it")
    cells = tuple(_heed(cell, verdict.findings) for cell in pair_cells(scene))
    return PairedGate(
        was=named,
        now=named,
        bundle=bundle.digest,
        study=verdict.study,
        device_name=device_name(bundle.environment),
        decision=together(cell.decision for cell in cells) if cells else "fail",
        alarm=sig(1 - plan.level),
        each=sig(_each(scene)),
        looks=looks(plan),
        margin=plan.margin,
        cells=cells,
        host=tuple(sorted({f"{f.code} {f.title}" for f in verdict.findings if _is_shared(f)})),
    )


def undecided_pairs(study: Study, device: Device, traces: list[Trace]) -> set[str]:
    """Return the workloads with a cell that the gate leaves open: the stopping rule of its run."""
    scene = set_scene(study, device, traces)
    if not scene.series:
        return {workload.id for workload in scene.workloads}
    return {cell.workload for cell in pair_cells(scene) if cell.decision == "undecided"}


def pair_cells(scene: Scene) -> Iterator[GatedCell]:
    """Yield every cell as its numbers alone decide it, before health has its say."""
    for contrast in scene.study.contrasts:
        for workload in scene.workloads:
            yield _cell(scene, workload.id, contrast)


def _each(scene: Scene) -> float:
    plan = scene.study.protocol
    cells = len(scene.study.contrasts) * len(scene.workloads)
    return (1 - plan.level) / (max(1, cells) * looks(plan))


def _cell(scene: Scene, workload: str, contrast: Contrast) -> GatedCell:
    sides = [scene.series.get((workload, name)) for name in (contrast.against, contrast.of)]
    was, now = (time_of(scene, side) for side in sides)
    blank = GatedCell(
        workload=workload,
        solution=contrast.name,
        decision="undecided",
        because="",
        was=was,
        now=now,
        ratio=Missing(reason="not measured side by side"),
        margin=scene.study.protocol.margin,
        p=1.0,
    )
    decision, because = _by_fate(fate_of(sides[0]), fate_of(sides[1]))
    if because:
        return replace(blank, decision=decision, because=because)
    pairs, floor = measure_cell(scene, workload, contrast.of, contrast.against)
    if pairs is None:
        return replace(blank, decision="fail", because="nothing measured: no pair of processes")
    if contrast.against != scene.study.baseline:
        floor = 0.0  # the twin is another solution's; it says nothing of this one's noise
    return _decided(blank, scene, pairs, floor)


def _by_fate(was: Fate, now: Fate) -> tuple[GateDecision, str]:
    """Return what the outcomes alone decide, and why; no reason where times have to."""
    before, after = was.replace("_", " "), now.replace("_", " ")
    if now in DOOMED:
        return "fail", f"{after} now; it was {before}"
    if now != "passed":
        return "fail", f"nothing measured: {after}"
    if was in DOOMED:
        return "pass", f"right now; it was {before}, so there is no time to compare with"
    if was != "passed":
        return "fail", f"nothing measured at the other revision: {before}"
    return "undecided", ""


def _decided(blank: GatedCell, scene: Scene, pairs: Pairs, floor: float) -> GatedCell:
    plan, each = scene.study.protocol, _each(scene)
    if pairs.n < 2:
        return replace(blank, because="one process measured both; an interval needs two")
    summary = summary_of(pairs, floor)
    shift = -summary.mean
    spread = float(stdtrit(summary.n - 1, 1 - each)) * summary.error
    half = min(WIDEST, spread + summary.blur)
    decision = decide(shift, half, math.log1p(blank.margin))
    because = told(decision, shift, half, blank.margin)
    if modes := _modes(list(pairs.by_process.values()), math.log1p(blank.margin)):
        decision, because = "undecided", f"{because}; but {modes}"
    if pairs.n < plan.processes[0]:
        decision = "undecided"
        because = f"{pairs.n} processes measured both; the fewest are {plan.processes[0]}"
    return replace(
        blank,
        decision=decision,
        because=because,
        ratio=Estimate(
            value=sig(math.exp(shift)),
            low=sig(math.exp(shift - half)),
            high=sig(math.exp(shift + half)),
            level=sig(1 - 2 * each),
            method=f"t interval over paired processes, for {looks(plan)} looks",
            n=pairs.n,
        ),
        p=sig(_chance(shift, summary.error, summary.blur, pairs.n)),
    )


def _modes(ratios: Sequence[float], margin: float) -> str:
    """Return how the processes' log ratios fall into two groups, if the gap matters (as RM306)."""
    if len(ratios) < FEWEST:
        return ""
    gap, scatter, low = split_in_two(ratios)
    if gap <= max(margin, separation(len(ratios)) * scatter):
        return ""
    apart = 100 * math.expm1(gap)
    return f"processes split {low} to {len(ratios) - low}, {apart:.1f} % apart (RM306)"


def _chance(shift: float, error: float, blur: float, n: int) -> float:
    """Return the probability of a shift this large or larger in unchanged code, at one look."""
    beyond = shift - math.copysign(min(abs(shift), blur), shift)
    if error == 0:
        return float(beyond <= 0)
    return float(stdtr(n - 1, -beyond / error))


def _heed(cell: GatedCell, findings: Iterable[Finding]) -> GatedCell:
    """Take back what an unhealthy run decided about either side; a wrong solution stays failed."""
    sides = ("", name_at(cell.solution, WAS), name_at(cell.solution, NOW))
    against = [f for f in findings if _moves(f, cell.workload, sides)]
    wrong = [f for f in against if f.moves == "invalid" and f.solution != sides[1]]
    codes = _codes(against)
    if wrong:
        because = f"{cell.because}; invalid here: {', '.join(_codes(wrong))}"
        return replace(cell, decision="fail", because=because, codes=codes)
    if not codes or isinstance(cell.ratio, Missing):
        return replace(cell, codes=codes)
    return replace(
        cell, decision="undecided", because=f"{cell.because}; but {', '.join(codes)}", codes=codes
    )


def _moves(finding: Finding, workload: str, sides: Sequence[str]) -> bool:
    # RM507, a failed baseline, is told by outcomes: it may be what the change has mended.
    if finding.code in SHARED or finding.code == "RM507":
        return False
    return _is_active(finding) and finding.workload in ("", workload) and finding.solution in sides


def _is_shared(finding: Finding) -> bool:
    return finding.code in SHARED and _is_active(finding)


def _is_active(finding: Finding) -> bool:
    return finding.state == "fires" and bool(finding.moves) and not finding.accepted


def _codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(sorted({finding.code for finding in findings}))
