"""RM206: arithmetic is the roof."""

from roofmark.analysis.bounds import Loads, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Source: the field's usual threshold: the SMs' busiest pipe at 60 % of its peak. Chosen: by times
# half, because the peak is that of a library's best matrix product.
SHARE = {"counters": 0.6, "timing": 0.5}


@rule(
    "RM206",
    "bound by arithmetic",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="counters", memory=0.16, chip=0.7, math=0.91)},
    silent={"loads": Loads(origin="counters", memory=0.73, chip=0.73, math=0.19)},
)
def bound_compute(loads: Loads) -> str | Missing:
    """Arithmetic runs at half of its peak or more (60 % by counters).

    Why it matters: the time left to win is what the headroom says, unless there is less to compute.
    What would confirm it: the pipe that is busy (tensor, FMA, ALU) and its share of issue slots.
    What to do: a cheaper formula, a narrower type on the tensor cores, or a better schedule.
    """
    if isinstance(loads.math, Missing):
        return loads.math
    if loads.math < SHARE[loads.origin]:
        return ""
    return f"arithmetic runs at {percent(loads.math)} of its peak"
