"""Replicate: does a second run say what the first one said?

In: two verdicts and their environments (and their studies, where at hand). Out: `Replication`.
A run on another device model, tier, cache state, or of another question is not a replication that
failed but none at all: `not comparable`, with the way to make it one.
"""

from collections.abc import Iterator
from typing import Literal

from roofmark.analysis.comparable import conditions_of, find_differences
from roofmark.analysis.verdict import (
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
    solutions = tuple(_solutions(original, again, void=void))
    return Replication(
        original=original.bundle,
        again=again.bundle,
        outcome="not comparable" if void else _together([s.outcome for s in solutions]),
        solutions=solutions,
        differences=differences,
    )


def _together(outcomes: list[Reproduction]) -> Reproduction:
    """One contradiction is enough; one open question leaves the whole open."""
    for outcome in ("not reproduced", "undecided", "not comparable", "reproduced"):
        if outcome in outcomes:
            return outcome
    return "undecided"


# --- solutions -----------------------------------------------------------------------------------
def _solutions(original: Verdict, again: Verdict, *, void: bool) -> Iterator[ReplicatedSolution]:
    mine = {o.solution: o for o in original.overall if o.role == "solution"}
    theirs = {o.solution: o for o in again.overall if o.role == "solution"}
    for name in dict.fromkeys((*mine, *theirs)):
        a, b = mine.get(name), theirs.get(name)
        yield ReplicatedSolution(
            solution=name,
            outcome="not comparable" if void else _direction(a, b),
            original=a.decision if a else Missing(reason="not in the original"),
            again=b.decision if b else Missing(reason="not in the second run"),
            original_speedup=a.speedup if a else Missing(reason="not in the original"),
            again_speedup=b.speedup if b else Missing(reason="not in the second run"),
            size=_size(a, b),
        )


def _direction(a: Overall | None, b: Overall | None) -> Reproduction:
    if a is None or b is None:
        return "not comparable"
    if a.decision not in DECIDED or b.decision not in DECIDED:
        return "undecided"
    return "reproduced" if a.decision == b.decision else "not reproduced"


def _size(a: Overall | None, b: Overall | None) -> Literal["agrees", "differs"] | Missing:
    if a is None or b is None:
        return Missing(reason="one run lacks this solution")
    mine, theirs = a.speedup, b.speedup
    if isinstance(mine, Missing) or isinstance(theirs, Missing):
        return Missing(reason="one run has no speed-up over all workloads")
    overlap = mine.low <= theirs.high and theirs.low <= mine.high
    return "agrees" if overlap else "differs"
