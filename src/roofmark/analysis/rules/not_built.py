"""RM504: the solution was not built."""

from roofmark.analysis.rules import rule


@rule(
    "RM504",
    "the solution was not built",
    per="cell",
    moves="invalid",
    fires={"fate": "build_failed", "reasons": ("it says why",)},
    silent={"fate": "passed", "reasons": ()},
)
def not_built(fate: str, reasons: tuple[str, ...]) -> str:
    """It did not compile or load, or its binary lacks the target that it declares.

    Why it matters: what was not proved to be built was not measured.
    What to do: read logs/<solution>/ in the bundle; it holds what the compiler said.
    It cannot be accepted.
    """
    return "; ".join(reasons) if fate == "build_failed" else ""
