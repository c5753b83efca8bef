"""The numbers that every gate takes: a margin and an alarm, checked before anything is measured."""

from roofmark.codes import problem
from roofmark.errors import StudyError


def check_numbers(margin: float | None, alarm: float) -> None:
    """Raises: StudyError RM103 for a margin or an alarm that cannot be."""
    wrong = [f"margin {margin}"] if margin is not None and not 0 < margin < 1 else []
    wrong += [] if 0 < alarm < 0.5 else [f"alarm {alarm}"]
    if wrong:
        mend = "A margin lies between 0 and 1, an alarm between 0 and 0.5 (0.03 is 3 %)."
        raise StudyError(*(problem("RM103", f"{w} cannot be", "the gate", mend) for w in wrong))
