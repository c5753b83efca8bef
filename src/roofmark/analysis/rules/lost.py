"""RM316: a process was lost, and the others are what is left."""

from roofmark.analysis.rules import rule


@rule(
    "RM316",
    "a process gave no time",
    per="cell",
    moves="",
    fires={"fate": "passed", "reasons": ("no answer within 60 s (measure)",)},
    silent={"fate": "passed", "reasons": ()},
)
def lost(fate: str, reasons: tuple[str, ...]) -> str:
    """One process did not answer in time; the verdict rests on the others.

    Why it matters: a hang is a fact about the solution that its times do not show. A second one
    makes the cell invalid (RM506).
    What to do: read the log; raise the limit only if the work is honest.
    There is nothing to accept.
    """
    return reasons[0] if fate == "passed" and reasons else ""
