"""RM307: the baseline differs from itself."""

import math

from roofmark.analysis.rules import Note, rule


@rule(
    "RM307",
    "the A/A twin differs from the baseline",
    per="workload",
    moves="undecided",
    fires={
        "twin_ratios": (0.05, 0.051, 0.049, 0.05),
        "twin_decision": "faster",
        "margin": 0.02,
    },
    silent={
        "twin_ratios": (0.001, -0.002, 0.003, 0.0),
        "twin_decision": "same",
        "margin": 0.02,
    },
)
def twin_differs(twin_ratios: tuple[float, ...], twin_decision: str, margin: float) -> str:
    """The same program, measured twice side by side, came out faster or slower than itself.

    Why it matters: what makes equal things look different here makes solutions look different too
    (order, caches, clocks, alignment). The interval of every cell is already as wide as the twin's
    scatter; a twin that is decided shows a bias, which no width covers. Single processes beyond
    the margin are noted: they say that this machine's floor is near the margin.
    What to do: take more processes, quieten the machine, or widen the margin.
    Accept it with accept=("RM307",) only if you can name the bias and show that it hits
    no solution.
    """
    border = math.log1p(margin)
    far = [ratio for ratio in twin_ratios if abs(ratio) > border]
    worst = max((abs(ratio) for ratio in twin_ratios), default=0.0)
    sentence = (
        f"twin is {twin_decision}; {len(far)} of {len(twin_ratios)} processes lie beyond the "
        f"margin, the worst by {100 * math.expm1(worst):.1f} %"
    )
    if twin_decision in ("faster", "slower"):
        return sentence
    return Note(sentence) if far else ""
