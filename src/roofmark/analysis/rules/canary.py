"""RM309: the baseline's own time tells that the host changed."""

import math

from roofmark.analysis.rules import Note, rule
from roofmark.units import show

# Chosen: fresh processes on one quiet GPU differ by up to 2.5 %, sessions by 4 %; two hosts of one
# cloud differed by 35 %. A tenth lies well above the first and well below the second.
CHANGE = 0.10


@rule(
    "RM309",
    "the baseline's own time changed between processes",
    per="cell",
    moves="undecided",
    fires={"baseline_medians": (11.7e-6, 11.4e-6, 15.9e-6, 15.6e-6), "slack": 0.05},
    silent={"baseline_medians": (11.7e-6, 11.4e-6, 11.5e-6, 11.6e-6), "slack": 0.05},
)
def canary(baseline_medians: tuple[float, ...], slack: float) -> str:
    """The baseline, which nobody changed, took over 10 % longer in one process than in another.

    Why it matters: the host or the device changed during the run. A cost that is added to both
    sides shrinks a speed-up, a cost that only one side pays makes one. A change smaller than the
    distance to another verdict is noted and moves nothing.
    What to do: measure on a quiet machine; never pool samples of two hosts.
    Accept it with accept=("RM309",) when times of this operator vary that much by nature.
    """
    low, high = min(baseline_medians), max(baseline_medians)
    change = math.log(high / low)
    if change <= CHANGE:
        return ""
    sentence = f"between {show(low, 's')} and {show(high, 's')} (+{100 * math.expm1(change):.0f} %)"
    return sentence if change >= slack else Note(sentence)
