"""Replicate: does a second run say what the first one said?

In: two verdicts and their environments (and their studies, where at hand). Out: `Replication`. The
outcome is about each solution over all workloads; what became of each on one workload stands
beside it, since one that nothing can decide leaves the whole open where the others reproduced.
A run on another device model, tier, cache state, or of another question is not a replication that
failed but none at all: `not comparable`, with the way to make it one.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Literal

from roofmark.analysis.comparable import conditions_of, find_differences
from roofmark.analysis.verdict import (
    Cell,
    Decision,
    Overall,
    ReplicatedSolution,
    Replication,
    Reproduction,
    Verdict,
)
from roofmark.evidence import Environment
from roofmark.records import Missing
from roofmark.study import Study

DECIDED: tuple[Decision, ...] = ("faster", "slower", "same", "invalid")


def replicate(
    original: Verdict,
    again: Verdict,
    original_environment: Environment,
    again_environment: Environment,
    *,
    studies: tuple[Study, Study] | None = None,
) -> Replication:
    """Compare two verdicts, solution by solution, and everything that differs between the runs."""
    first, second = studies or (None, None)
    differences = tuple(
        find_differences(
            conditions_of(original, original_environment, first),
            conditions_of(again, again_environment, second),
        )
    )
    void = any(difference.voids for difference in differences)
    solutions = tuple(_paired(_overall(original), _overall(again), void=void))
    cells = tuple(_paired(_cells(original), _cells(again), void=void))
    return Replication(
        original=original.bundle,
        again=again.bundle,
        outcome="not comparable" if void else _together([s.outcome for s in solutions]),
        solutions=solutions,
        differences=differences,
        cells=cells,
    )


def _together(outcomes: list[Reproduction]) -> Reproduction:
    """One contradiction is enough; one open question leaves the whole open."""
    for outcome in ("not reproduced", "undecided", "not comparable", "reproduced"):
        if outcome in outcomes:
            return outcome
    return "undecided"


# --- solutions -----------------------------------------------------------------------------------
Place = tuple[str, str]
"""Solution and workload; "" for all workloads."""
Side = Mapping[Place, Overall | Cell]


def _overall(verdict: Verdict) -> Side:
    return {(o.solution, ""): o for o in verdict.overall if o.role == "solution"}


def _cells(verdict: Verdict) -> Side:
    """Return every solution on each workload; of a single workload `_overall` says it all."""
    names = {o.solution for o in verdict.overall if o.role == "solution"}
    several = len({c.workload for c in verdict.cells}) > 1
    return {(c.solution, c.workload): c for c in verdict.cells if several and c.solution in names}


def _paired(mine: Side, theirs: Side, *, void: bool) -> Iterator[ReplicatedSolution]:
    for name, workload in dict.fromkeys(chain(mine, theirs)):
        a, b = mine.get((name, workload)), theirs.get((name, workload))
        yield ReplicatedSolution(
            solution=name,
            outcome="not comparable" if void else _direction(a, b),
            original=a.decision if a else Missing(reason="not in the original"),
            again=b.decision if b else Missing(reason="not in the second run"),
            original_speedup=a.speedup if a else Missing(reason="not in the original"),
            again_speedup=b.speedup if b else Missing(reason="not in the second run"),
            size=_size(a, b),
            workload=workload,
        )


def _direction(a: Overall | Cell | None, b: Overall | Cell | None) -> Reproduction:
    if a is None or b is None:
        return "not comparable"
    if a.decision not in DECIDED or b.decision not in DECIDED:
        return "undecided"
    return "reproduced" if a.decision == b.decision else "not reproduced"


def _size(
    a: Overall | Cell | None, b: Overall | Cell | None
) -> Literal["agrees", "differs"] | Missing:
    if a is None or b is None:
        return Missing(reason="one run lacks this solution")
    mine, theirs = a.speedup, b.speedup
    if isinstance(mine, Missing) or isinstance(theirs, Missing):
        return Missing(reason="one run has no speed-up")
    overlap = mine.low <= theirs.high and theirs.low <= mine.high
    return "agrees" if overlap else "differs"
