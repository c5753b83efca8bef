"""Accuracy beside speed: answers judged, and compared question by question.

In: `Answers`. Out: `Judged`, `Compared`. Pure functions, for files of other tools and for legs that
we ran ourselves.
"""

from roofmark.analysis.accuracy.compare import MARGIN, compare_answers, judge_answers
from roofmark.analysis.accuracy.records import Compared, Flip, Gate, Judged, Leg, Paired, Told

__all__ = [
    "MARGIN",
    "Compared",
    "Flip",
    "Gate",
    "Judged",
    "Leg",
    "Paired",
    "Told",
    "compare_answers",
    "judge_answers",
]
