"""Answers: what a model said to a set of questions, one outcome each.

In: nothing. Out: records that importers and serving legs make, and that accuracy and degeneration
are judged from. A question that ran out of time was not answered wrongly: it has its own outcome,
so that no count can mix the two.
"""

from typing import Literal

from roofmark.records import Missing, Record
from roofmark.units import Seconds

Outcome = Literal["right", "wrong", "timed out", "errored", "not asked", "not judged"]
"""`not judged`: there is an answer, and nothing to compare it with."""

OUTCOMES: tuple[Outcome, ...] = (
    "right", "wrong", "timed out", "errored", "not asked", "not judged",
)  # fmt: skip
ANSWERED: tuple[Outcome, ...] = ("right", "wrong")
UNANSWERED: tuple[Outcome, ...] = ("timed out", "errored", "not asked")


class Answer(Record):
    """One question and what came of it.

    expected, extracted: as they are compared. text: what the model wrote, or its end. finish: why
    it stopped, in the tool's words ("length" is a cut answer). tokens: ids, in order.
    """

    id: str
    question: str | Missing
    expected: str | Missing
    text: str | Missing
    extracted: str | Missing
    outcome: Outcome
    seconds: Seconds | Missing
    finish: str | Missing
    tokens: tuple[int, ...] | Missing


class Answers(Record, tag="answers"):
    """One leg's answers to one set of questions.

    label: the leg. rule: how an answer was taken from its text. settings: what makes two legs
    comparable (model, seed). whole: False where only the end of each text was kept.
    """

    label: str
    rule: str
    settings: dict[str, str]
    answers: tuple[Answer, ...]
    whole: bool = True

    def count(self, *outcomes: Outcome) -> int:
        """Return how many questions came out as one of `outcomes`."""
        return sum(each.outcome in outcomes for each in self.answers)


def judged(
    extracted: str | Missing, expected: str | Missing, *, equal: bool
) -> Literal["right", "wrong", "not judged"]:
    """Return the outcome of an answer that came; one from which nothing can be taken is wrong."""
    if isinstance(expected, Missing):
        return "not judged"
    return "right" if equal and not isinstance(extracted, Missing) else "wrong"
