"""RM317: a solution is faster on one tier and slower on another."""

from roofmark.analysis.compare import Place
from roofmark.analysis.rules import rule
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing

Sides = dict[str, tuple[float, float]]


@fact
def speedups(case: Case, place: Place) -> Sides | Missing:
    """Interval of the speed-up on every tier that was measured, the deciding one first."""
    cell = case.cells[place]
    if not isinstance(cell.speedup, Estimate):
        return cell.speedup
    found: dict[str, Estimate] = {case.scene.tier: cell.speedup} | dict(cell.other_tiers)
    return {tier: (each.low, each.high) for tier, each in found.items()}


@rule(
    "RM317",
    "the tiers disagree",
    per="cell",
    moves="",
    subject="kernels",
    devices=("cuda",),
    fires={"speedups": {"graph": (1.2, 1.3), "call": (0.4, 0.5)}},
    silent={"speedups": {"graph": (1.2, 1.3), "call": (0.9, 1.1)}},
)
def tiers_disagree(speedups: Sides) -> str:
    """Every interval of one tier lies above 1, of another below: who calls it decides who wins.

    Why it matters: the kernel and what surrounds it are two things. A kernel that wins inside a
    graph and loses when it is called one by one has a wrapper that costs more than it gains, and
    the other way round a graph hides a launch that others pay for.
    What to do: name the tier with every figure; look for allocations, checks and launches of the
    call, or for what the graph makes of them. There is nothing to accept, because no verdict moves.
    """
    decides = next(iter(speedups))
    low, high = speedups[decides]
    for tier, (least, most) in speedups.items():
        if low > 1 > most:
            return f"faster on the {decides} tier, slower on the {tier} tier ({most:.2f}x at most)"
        if high < 1 < least:
            return f"slower on the {decides} tier, faster on the {tier} tier ({least:.2f}x or more)"
    return ""
