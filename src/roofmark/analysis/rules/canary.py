"""RM309: the baseline's own time tells that the host changed, and the comparison with it."""

import math
from statistics import median

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
    fires={
        "pairs": ((11.7e-6, 0.3), (11.4e-6, 0.3), (15.9e-6, 0.2), (15.6e-6, 0.2)),
        "slack": 0.05,
    },
    silent={
        "pairs": ((11.7e-6, 0.3), (11.4e-6, 0.2), (11.5e-6, 0.3), (11.6e-6, 0.2)),
        "slack": 0.05,
    },
)
def canary(pairs: tuple[tuple[float, float], ...], slack: float) -> str:
    """The baseline, which nobody changed, took over 10 % longer in one process than in another.

    Why it matters: the host or the device changed during the run. What slows both sides alike
    leaves their ratio as it was; a cost that is added to both shrinks a speed-up, and one that only
    one side pays makes one. So this moves a verdict only where the ratio differs between the slower
    and the quicker processes by as much as the distance to another verdict.
    What to do: measure on a quiet machine; never pool samples of two hosts.
    Accept it with accept=("RM309",) when times of this operator vary that much by nature.
    """
    low, high = min(pairs)[0], max(pairs)[0]
    change = math.log(high / low)
    if change <= CHANGE:
        return ""
    middle = math.sqrt(low * high)
    slower = median(ratio for time, ratio in pairs if time >= middle)
    quicker = median(ratio for time, ratio in pairs if time < middle)
    sentence = (
        f"between {show(low, 's')} and {show(high, 's')} (+{100 * math.expm1(change):.0f} %); its "
        f"ratio to the solution moved by {100 * math.expm1(slower - quicker):+.1f} % with it"
    )
    return sentence if abs(slower - quicker) >= slack else Note(sentence)
