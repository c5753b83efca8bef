"""Answered: what answers to questions give a text to cite: counts, accuracy, time.

In: `Answers` and where they come from. Out: subjects. Accuracy has two values, over what was
answered and over what was asked, since a text may mean either.
"""

import math
from collections.abc import Iterator

from roofmark.analysis.cite.subjects import Subject, exact
from roofmark.answers import ANSWERED, UNANSWERED, Answers
from roofmark.records import Missing

# Words that texts have for one outcome.
_NAMES = {
    "right": ("correct", "accuracy", "right answers"),
    "wrong": ("incorrect", "wrong answers"),
    "timed out": ("timeouts", "time-outs", "timed out prompts"),
    "errored": ("errors",),
    "not asked": ("skipped",),
}


def answer_subjects(place: str, found: Answers) -> Iterator[Subject]:
    """Yield a subject for each outcome, for all questions, and for the time that they took."""
    told = [f"{name}={value}" for name, value in found.settings.items() if len(value) <= 60]
    context = " ; ".join((place, found.label, *told))[:2000]
    asked, answered = found.count(*ANSWERED, *UNANSWERED), found.count(*ANSWERED)
    for outcome, names in _NAMES.items():
        count = found.count(outcome)  # pyright: ignore[reportArgumentType]
        values = [exact("count", "number", float(count))]
        for over, whole in (("all questions", asked), ("what was answered", answered)):
            if whole and (over == "all questions" or outcome in ANSWERED):
                values.append(exact(f"share of {over}", "percent", 100 * count / whole))
        yield Subject("figure", outcome, place, context, tuple(values), names)
    if asked:
        whole = (exact("count", "number", float(asked)),)
        yield Subject("figure", "questions", place, context, whole, ("n", "prompts", "asked"))
    seconds = [a.seconds for a in found.answers if not isinstance(a.seconds, Missing)]
    if seconds:
        total = (exact("total over questions", "time", math.fsum(seconds)),)
        yield Subject("figure", "elapsed total", place, context, total, ("total seconds",))
