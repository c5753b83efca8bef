"""What follows from answers: counts, flips, gates, and what a set could have told.

In: nothing; these are the shapes of conclusions. Out: `Judged` of one leg, `Compared` of two.
"""

from typing import Literal

from roofmark.analysis.verdict import Difference, Estimate
from roofmark.answers import Outcome
from roofmark.records import Missing, Record

Kept = Literal["holds", "fails", "undecided"]
AccuracyDecision = Literal["better", "worse", "same", "undecided", "not comparable"]


class Leg(Record):
    """One leg's counts. answered, asked: right ones of those answered, and of all questions.

    cut: answers that ended at the token limit. nothing: wrong ones that hold no answer at all.
    """

    label: str
    rule: str
    counts: dict[Outcome, int]
    answered: Estimate | Missing
    asked: Estimate | Missing
    cut: int
    nothing: int


class Gate(Record, tag="gate"):
    """A threshold and whether it is kept. because: the numbers that say so."""

    limit: float
    decision: Kept
    because: str


class Judged(Record):
    """One leg against a floor."""

    leg: Leg
    floor: Gate | Missing
    level: float


class Flip(Record):
    """One question that came out differently; a, b: what was answered, or why nothing was."""

    id: str
    question: str
    expected: str
    a: str
    b: str
    a_outcome: Outcome
    b_outcome: Outcome


class Paired(Record, tag="paired"):
    """Two legs over n questions. lost: right in A alone. gained: right in B alone.

    difference: accuracy of B minus that of A. p: exact McNemar, two-sided. mid_p: the observed case
    counted half; shown, never decisive.
    """

    n: int
    both: int
    lost: int
    gained: int
    neither: int
    difference: Estimate
    p: float
    mid_p: float


class Told(Record, tag="told"):
    """What so many questions could have told. churn: part of them that flips either way.

    flips: fewest that decide, all one way. smallest: true difference shown four times in five.
    enough: how many questions would show a difference of the margin, Missing if no set would.
    """

    n: int
    churn: float
    flips: int
    smallest: float | Missing
    enough: int | Missing


class Compared(Record):
    """Two legs' answers. answered: over questions that both answered. asked: over all of both."""

    a: Leg
    b: Leg
    decision: AccuracyDecision
    because: str
    differences: tuple[Difference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    answered: Paired | Missing
    asked: Paired | Missing
    lost: tuple[Flip, ...]
    gained: tuple[Flip, ...]
    unanswered: tuple[Flip, ...]
    changed: tuple[Flip, ...]
    told: Told | Missing
    floor: Gate | Missing
    ship: Gate | Missing
    margin: float
    level: float
