"""RM506: the solution timed out."""

from roofmark.analysis.rules import rule


@rule(
    "RM506",
    "the solution timed out",
    per="cell",
    moves="invalid",
    fires={"fate": "timed_out", "reasons": ("it says why",)},
    silent={"fate": "passed", "reasons": ()},
)
def timed_out(fate: str, reasons: tuple[str, ...]) -> str:
    """Two or more processes did not answer in time.

    Why it matters: once can be the machine's doing, twice is the solution's.
    What to do: look for a deadlock; raise call_limit only if the work is honest.
    It cannot be accepted.
    """
    return "; ".join(reasons) if fate == "timed_out" else ""
