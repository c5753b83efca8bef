"""RM503: an output was wrong."""

from roofmark.analysis.rules import rule


@rule(
    "RM503",
    "an output was wrong",
    per="cell",
    moves="invalid",
    fires={"fate": "incorrect", "reasons": ("it says why",)},
    silent={"fate": "passed", "reasons": ()},
)
def incorrect(fate: str, reasons: tuple[str, ...]) -> str:
    """A verified output was further from the reference than the tolerance, or an input changed.

    Why it matters: an incorrect kernel has no speed.
    What to do: see the worst error per output; mend the kernel, or argue the tolerance.
    It cannot be accepted.
    """
    return "; ".join(reasons) if fate == "incorrect" else ""
