"""RM207: tensor cores wait for their operands."""

from roofmark.analysis.bounds import Loads, known, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Chosen: a tensor pipe that works a quarter of the time or more is what the kernel is about; the
# path that feeds it is the reason when it is the busier of the two.
WORKS = 0.25
FEEDS = 0.5


@rule(
    "RM207",
    "bound by feeding the tensor cores",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="counters", memory=0.3, chip=0.6, math=0.4, tensor=0.35)},
    silent={"loads": Loads(origin="counters", memory=0.3, chip=0.3, math=0.9, tensor=0.9)},
)
def bound_tensor_feed(loads: Loads) -> str | Missing:
    """The tensor cores work part of the time while the path that feeds them is busier.

    Why it matters: more arithmetic would fit into the same time; operands arrive too slowly.
    What would confirm it: shared-memory throughput, and why matrix instructions stall.
    What to do: asynchronous copies in more stages, larger tiles, a swizzle without bank conflicts.
    """
    if isinstance(loads.tensor, Missing):
        return loads.tensor
    if loads.tensor < WORKS or known(loads.chip) < max(FEEDS, loads.tensor):
        return ""
    return f"tensor cores work {percent(loads.tensor)}, their feed {percent(loads.chip)}"
