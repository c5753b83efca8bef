"""RM502: faster than the device can be."""

from roofmark.analysis.rules import Note, rule
from roofmark.units import show

# Chosen: measured ceilings repeat within 2 %, and the best kernels reach 97 % of them; a time a
# tenth below the floor is not a better kernel but another job.
BELOW = 0.9


@rule(
    "RM502",
    "faster than the roof allows",
    per="cell",
    moves="invalid",
    fires={"slowest_and_floor": (1.0e-6, 7.8e-6), "cold": True},
    silent={"slowest_and_floor": (8.1e-6, 7.8e-6), "cold": True},
)
def below_floor(slowest_and_floor: tuple[float, float], cold: bool) -> str:
    """The time's whole interval lies below nine tenths of the least time that nothing can beat.

    Why it matters: the work was not done within the timed call, or the cost in the definition is
    wrong. With a warm cache, or on a CPU, data need not come from memory, so there it only informs.
    What to do: check `traffic` and `flops`; then look for work done before the clock started.
    It cannot be accepted.
    """
    slowest, floor = slowest_and_floor
    if slowest >= BELOW * floor:
        return ""
    sentence = f"{show(slowest, 's')} against a floor of {show(floor, 's')}"
    return sentence if cold else Note(sentence)
