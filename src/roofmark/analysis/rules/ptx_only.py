"""RM320: the binary holds no machine code."""

from roofmark.analysis.rules import rule


@rule(
    "RM320",
    "built as PTX only",
    per="solution",
    moves="",
    devices=("cuda",),
    fires={"ptx_only": True},
    silent={"ptx_only": False},
)
def ptx(ptx_only: bool) -> str:
    """The driver compiled this solution's PTX when it was loaded.

    Why it matters: what ran depends on the driver, and the bundle holds no proof of it; another
    driver may run other code at another speed.
    What to do: name a target in the Solution ("sm_90a"). There is nothing to accept.
    """
    return "no machine code in the binary; the driver compiled it" if ptx_only else ""
