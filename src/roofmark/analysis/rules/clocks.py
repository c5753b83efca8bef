"""RM303: the GPU's clock was not the same from visit to visit."""

from roofmark.analysis.rules import Note, rule
from roofmark.units import show

# Chosen: boost clocks move in steps of 15 MHz (0.8 % of 1980 MHz) all the time; 5 % is six steps,
# another regime. The tenth and ninetieth percentile leave single odd readings out.
REGIME = 0.05
# Chosen: below ten readings a percentile is one reading.
FEWEST_READINGS = 10


@rule(
    "RM303",
    "the GPU's clock changed its regime",
    per="cell",
    moves="undecided",
    devices=("cuda",),
    fires={"sm_clocks": (1.98e9,) * 12 + (1.4e9,) * 12, "slack": 0.1},
    silent={"sm_clocks": (1.98e9,) * 12 + (1.965e9,) * 12, "slack": 0.1},
)
def clock_regime(sm_clocks: tuple[float, ...], slack: float) -> str:
    """The SM clock after one visit was more than 5 % away from that after another.

    Why it matters: time follows the clock, so a part of the samples measured another device. When
    the change is smaller than the distance to another verdict it is noted and moves nothing.
    What to do: lock the clocks (nvidia-smi -lgc) or warm the device up longer.
    Accept it with accept=("RM303",) when clocks cannot be locked and the twin is quiet.
    """
    if len(sm_clocks) < FEWEST_READINGS:
        return ""
    clocks = sorted(sm_clocks)
    cut = len(clocks) // 10
    low, high = clocks[cut], clocks[-1 - cut]
    change = (high - low) / high
    if change <= REGIME:
        return ""
    sentence = f"between {show(low, 'Hz')} and {show(high, 'Hz')} ({100 * change:.0f} %)"
    return sentence if change >= slack else Note(sentence)
