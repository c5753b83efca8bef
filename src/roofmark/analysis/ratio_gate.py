"""Ratio gate: is one solution of a bundle as much faster than another as it has to be?

In: a bundle and demands such as `on/off>=1.3@8b*`: on every workload that matches, `on` is at least
1.3 times as fast as `off`. Out: `RatioGate`. The whole interval decides: a demand holds where all
of it is on the right side of the bound, fails where none of it is, and is undecided where the bound
is inside. One-sided, a = alarm / (cells * looks): a ratio that lies at its bound fails somewhere in
the gate with a probability of at most `alarm`, and passes in error as rarely.
Source: Student's t over paired processes (stats.py); Bonferroni's inequality.
"""

import fnmatch
import math
import re
from collections.abc import Sequence
from typing import Literal, cast

from roofmark.analysis.compare import looks
from roofmark.analysis.decide import DOOMED, Scene, fate_of, measure_cell, set_scene, summary_of
from roofmark.analysis.gated import GateDecision, together
from roofmark.analysis.judge import device_name, judge_bundle, moving
from roofmark.analysis.stats import interval, sig
from roofmark.analysis.verdict import Estimate, Finding
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.records import Missing, Record
from roofmark.study import Tier
from roofmark.units import Ratio

Sense = Literal[">=", "<="]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_DEMAND = re.compile(
    rf"\s*(?P<of>{_NAME})\s*/\s*(?P<over>{_NAME})\s*(?P<sense>>=|<=)\s*(?P<bound>[0-9.]+)x?\s*"
    r"(?:@\s*(?P<workloads>\S+)\s*)?"
)
# Chosen: the exponential of this is a finite double, and far beyond any ratio.
_WIDEST = 300.0


class Demand(Record):
    """What is demanded: the speed of `of` over the speed of `over`, on workloads that match."""

    of: str
    over: str
    sense: Sense
    bound: Ratio
    workloads: str = "*"


class RatioCell(Record):
    """One demand on one workload. ratio: time of `over` / time of `of`; codes: what moved it."""

    workload: str
    of: str
    over: str
    sense: Sense
    bound: Ratio
    decision: GateDecision
    because: str
    ratio: Estimate | Missing
    codes: tuple[str, ...] = ()


class RatioGate(Record, tag="ratio"):
    """The answer; cites the bundle by sha256. each: probability per cell and look."""

    bundle: str
    study: str
    device_name: str
    tier: Tier
    decision: GateDecision
    alarm: Ratio
    each: Ratio
    cells: tuple[RatioCell, ...]


def parse_demand(text: str) -> Demand:
    """Return a demand such as "on/off>=1.3@8b*". Raises: StudyError RM103."""
    found = _DEMAND.fullmatch(text)
    try:
        bound = float(found["bound"]) if found else 0.0
    except ValueError:
        bound = 0.0
    if found is None or not bound > 0 or found["of"] == found["over"]:
        mend = "Write NAME/NAME>=BOUND or <=, such as 'on/off>=1.3' or 'on/off>=1.3@8b*'."
        raise StudyError(problem("RM103", f"{text!r} is no demand on a ratio", "--ratio", mend))
    return Demand(
        of=found["of"],
        over=found["over"],
        sense=cast(Sense, found["sense"]),
        bound=bound,
        workloads=found["workloads"] or "*",
    )


def gate_ratios(bundle: Bundle, demands: Sequence[Demand], *, alarm: Ratio) -> RatioGate:
    """Return whether every demand holds.

    Raises: StudyError RM130 for a solution or a pattern that the bundle has nothing for.
    """
    scene = set_scene(bundle.study, bundle.run.device, bundle.traces())
    asked = [(demand, name) for demand in demands for name in _workloads(scene, demand)]
    verdict = judge_bundle(bundle)
    each = alarm / (len(asked) * looks(scene.study.protocol))
    cells = tuple(
        _cell(scene, verdict.findings, demand, workload, each) for demand, workload in asked
    )
    return RatioGate(
        bundle=bundle.digest,
        study=verdict.study,
        device_name=device_name(bundle.environment),
        tier=scene.tier,
        decision=together(cell.decision for cell in cells),
        alarm=alarm,
        each=sig(each),
        cells=cells,
    )


def _workloads(scene: Scene, demand: Demand) -> list[str]:
    """Return the workloads that a demand is about. Raises: StudyError RM130."""
    known = [solution.name for solution in scene.study.solutions]
    unknown = [name for name in (demand.of, demand.over) if name not in known]
    if unknown:
        raise _no_match("solution", unknown[0], known)
    ids = [workload.id for workload in scene.workloads]
    chosen = [name for name in ids if fnmatch.fnmatchcase(name, demand.workloads)]
    if not chosen:
        raise _no_match("workload", demand.workloads, ids)
    return chosen


def _no_match(kind: str, asked: str, known: Sequence[str]) -> StudyError:
    mend = f"In the bundle: {', '.join(known)}."
    return StudyError(problem("RM130", f"no {kind} matches {asked!r}", "--ratio", mend))


def _cell(
    scene: Scene, findings: Sequence[Finding], demand: Demand, workload: str, each: float
) -> RatioCell:
    ratio = _ratio(scene, demand, workload, each)
    decision, because = _decide(ratio, demand)
    against = moving(findings, (workload, demand.of), demand.over)
    codes = tuple(sorted({finding.code for finding in against}))
    if any(finding.moves == "invalid" for finding in against):
        decision, because = "fail", f"{because}; invalid here: {', '.join(codes)}"
    elif codes and isinstance(ratio, Estimate):
        decision, because = "undecided", f"{because}; but {', '.join(codes)}"
    return RatioCell(
        workload=workload,
        of=demand.of,
        over=demand.over,
        sense=demand.sense,
        bound=demand.bound,
        decision=decision,
        because=because,
        ratio=ratio,
        codes=codes,
    )


def _ratio(scene: Scene, demand: Demand, workload: str, each: float) -> Estimate | Missing:
    for name in (demand.of, demand.over):
        fate = fate_of(scene.series.get((workload, name)))
        if fate in DOOMED or fate != "passed":
            return Missing(reason=f"{name}: {fate.replace('_', ' ')}")
    pairs, floor = measure_cell(scene, workload, demand.of, demand.over)
    if pairs is None or pairs.n < 2:
        return Missing(reason="fewer than two processes measured both")
    if scene.study.baseline not in (demand.of, demand.over):
        floor = 0.0  # the twin is another solution's
    summary = summary_of(pairs, floor)
    ends = interval(summary, level=1 - 2 * each, looks=1)
    low, high = (math.exp(max(-_WIDEST, min(_WIDEST, end))) for end in ends)
    return Estimate(
        value=sig(math.exp(summary.mean)),
        low=sig(low),
        high=sig(high),
        level=sig(1 - 2 * each),
        method="t interval over paired processes, for cells and looks",
        n=pairs.n,
    )


def _decide(ratio: Estimate | Missing, demand: Demand) -> tuple[GateDecision, str]:
    if isinstance(ratio, Missing):
        return "fail", f"nothing measured: {ratio.reason}"
    told = f"{ratio.value:.3f}x [{ratio.low:.3f}, {ratio.high:.3f}]"
    wanted = f"{demand.sense} {demand.bound:g}"
    at_least = demand.sense == ">="
    if ratio.low >= demand.bound if at_least else ratio.high <= demand.bound:
        return "pass", f"{told} is {wanted}"
    if ratio.high < demand.bound if at_least else ratio.low > demand.bound:
        return "fail", f"{told} is not {wanted}"
    return "undecided", f"{told} cannot be told from {demand.bound:g}"
