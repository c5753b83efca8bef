"""RM202: an empty kernel takes nearly as long."""

from roofmark.analysis.bounds import Loads, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Chosen: half of the time; what is left for the work itself is then less than what starting costs.
SHARE = 0.5


@rule(
    "RM202",
    "bound by the launch",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="timing", launch=0.55, memory=0.2, math=0.0)},
    silent={"loads": Loads(origin="timing", launch=0.1, memory=0.8, math=0.0)},
)
def bound_launch(loads: Loads) -> str:
    """At least half of the time is what an empty kernel takes on this device.

    Why it matters: the work is too small to pay for its start; no change of the kernel's inside can
    win more than what is above the empty kernel.
    What would confirm it: an empty kernel with the same grid, timed the same way.
    What to do: fuse it with its neighbours, batch more work into one launch, or keep one kernel
    running.
    """
    if isinstance(loads.launch, Missing) or loads.launch < SHARE:
        return ""
    return f"an empty kernel takes {percent(loads.launch)} of this time"
