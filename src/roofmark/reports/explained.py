"""A bundle explained in little: the answer, the bounds, and every finding that fires, in words.

In: a bundle and its verdict. Out: a record for `explain`, short enough for an agent to read whole.
"""

from roofmark.analysis.rules import explain
from roofmark.analysis.verdict import Bound, Contrasted, Decision, Estimate, Overall, Verdict
from roofmark.records import Missing, Record
from roofmark.reports.view import context, sentences
from roofmark.units import Seconds


class Limit(Record):
    """One solution on one workload: decision, time, speed-up over the baseline, what limits it."""

    workload: str
    solution: str
    decision: Decision
    outcome: str
    seconds: Seconds | Missing
    speedup: Estimate | Missing
    bound: Bound | Missing
    codes: tuple[str, ...]


class Fired(Record):
    """A finding that fires. moves: the decision to which it takes the verdict, "" for none."""

    code: str
    title: str
    solution: str
    workload: str
    message: str
    moves: str
    accepted: bool


class Explained(Record):
    """What follows from a bundle. explanations: code -> what it means, for all codes named here."""

    bundle: str
    study: str
    context: str
    answer: tuple[str, ...]
    decision: Decision
    overall: tuple[Overall, ...]
    contrasts: tuple[Contrasted, ...]
    limits: tuple[Limit, ...]
    findings: tuple[Fired, ...]
    explanations: dict[str, str]


def explain_verdict(verdict: Verdict) -> Explained:
    """Return the verdict in little."""
    fired = [each for each in verdict.findings if each.state == "fires"]
    bounds = [cell.bound.code for cell in verdict.cells if isinstance(cell.bound, Bound)]
    codes = sorted({each.code for each in fired} | {code for code in bounds if code})
    return Explained(
        bundle=verdict.bundle,
        study=verdict.study,
        context=context(verdict),
        answer=tuple(sentences(verdict)),
        decision=verdict.decision,
        overall=verdict.overall,
        contrasts=verdict.contrasts,
        limits=_limits(verdict),
        findings=tuple(
            Fired(
                code=each.code,
                title=each.title,
                solution=each.solution,
                workload=each.workload,
                message=each.message,
                moves=each.moves,
                accepted=each.accepted,
            )
            for each in fired
        ),
        explanations={code: explain(code) for code in codes},
    )


def _limits(verdict: Verdict) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            workload=cell.workload,
            solution=cell.solution,
            decision=cell.decision,
            outcome=cell.outcome,
            seconds=cell.time if isinstance(cell.time, Missing) else cell.time.value,
            speedup=cell.speedup,
            bound=cell.bound,
            codes=cell.codes,
        )
        for cell in verdict.cells
    )
