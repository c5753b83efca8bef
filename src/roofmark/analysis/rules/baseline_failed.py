"""RM507: there is nothing to compare with."""

from roofmark.analysis.decide import DOOMED
from roofmark.analysis.rules import rule


@rule(
    "RM507",
    "the baseline failed on this workload",
    per="cell",
    moves="invalid",
    fires={"baseline_fate": "incorrect", "baseline_reasons": ("y is wrong",)},
    silent={"baseline_fate": "passed", "baseline_reasons": ()},
)
def baseline_failed(baseline_fate: str, baseline_reasons: tuple[str, ...]) -> str:
    """The baseline was incorrect, was not built, crashed or timed out here.

    Why it matters: a speed-up over a wrong or absent baseline is no speed-up.
    What to do: mend the baseline first. It cannot be accepted.
    """
    if baseline_fate not in DOOMED:
        return ""
    return f"{baseline_fate.replace('_', ' ')}: {'; '.join(baseline_reasons)}"
