"""RM201: the host, not the device, takes the time."""

from roofmark.analysis.bounds import Loads, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Chosen: half of a call's time; below it the device still decides how long a call takes.
SHARE = 0.5


@rule(
    "RM201",
    "bound by the host",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="timing", host=0.8, memory=0.1)},
    silent={"loads": Loads(origin="timing", host=0.1, memory=0.8)},
)
def bound_host(loads: Loads) -> str:
    """Most of a call passes while the device does nothing for it.

    Why it matters: a faster kernel would not make the call faster. Allocations, argument checks,
    Python and launches are what the caller waits for.
    What would confirm it: the same calls captured in a CUDA graph, which leaves the host out.
    What to do: capture a graph, keep workspaces between calls, or launch fewer kernels.
    """
    if isinstance(loads.host, Missing) or loads.host < SHARE:
        return ""
    return f"{percent(loads.host)} of a call pass outside the device"
