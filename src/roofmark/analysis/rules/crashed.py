"""RM505: the solution crashed."""

from roofmark.analysis.rules import rule


@rule(
    "RM505",
    "the solution crashed",
    per="cell",
    moves="invalid",
    fires={"fate": "crashed", "reasons": ("it says why",)},
    silent={"fate": "passed", "reasons": ()},
)
def crashed(fate: str, reasons: tuple[str, ...]) -> str:
    """The worker died or the solution raised an error.

    Why it matters: the other processes are the survivors, not the sample.
    What to do: read logs/<solution>/ in the bundle; it holds what the worker said.
    It cannot be accepted.
    """
    return "; ".join(reasons) if fate == "crashed" else ""
