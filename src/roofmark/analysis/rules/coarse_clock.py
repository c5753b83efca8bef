"""RM312: the clock is too coarse for what it measures."""

from roofmark.analysis.rules import rule
from roofmark.units import show


@rule(
    "RM312",
    "the clock is too coarse for this time",
    per="series",
    moves="undecided",
    fires={"tick": 5e-7, "span": 1e-5, "margin": 0.02},
    silent={"tick": 1e-9, "span": 1e-5, "margin": 0.02},
)
def coarse_clock(tick: float, span: float, margin: float) -> str:
    """One tick of the clock is a larger part of a sample than the margin.

    Why it matters: two programs that differ by more than the margin can give the same reading. The
    tick is the least gap between any two readings of the study, so it is what the clock showed, not
    what its manual says.
    What to do: more calls per sample, the graph tier, or a finer clock.
    Accept it with accept=("RM312",): intervals stay as wide as the tick demands.
    """
    share = tick / span
    return (
        f"tick {show(tick, 's')} is {100 * share:.1f} % of {show(span, 's')}"
        if share > margin
        else ""
    )
