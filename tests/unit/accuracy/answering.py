"""What tests of answers share: small legs."""

from roofmark.answers import Answer, Answers
from roofmark.records import Missing

NONE = Missing(reason="none")


def answer(
    id, outcome="right", *, expected="7", text=NONE, tokens=NONE, finish=NONE, question=NONE
):
    given = {"right": expected, "wrong": "8"}.get(outcome, NONE)
    return Answer(
        id=str(id), question=NONE, expected=expected, text=text, extracted=given,
        outcome=outcome, seconds=1.0, finish=NONE, tokens=tokens,
    )  # fmt: skip


def leg(*outcomes, label="a", **settings):
    """A leg of one answer per outcome; "right*3" stands for three of them."""
    every = []
    for each in outcomes:
        outcome, _, times = each.partition("*")
        every += [outcome] * int(times or 1)
    answers = tuple(answer(i, outcome) for i, outcome in enumerate(every))
    return Answers(label=label, rule="gsm8k/1", settings=settings, answers=answers)
