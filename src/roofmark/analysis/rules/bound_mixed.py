"""RM208: several roofs are about equally near."""

from roofmark.analysis.bounds import Loads, known, percent
from roofmark.analysis.rules import rule

# Chosen: two loads above a third explain more than half of a time that is their sum.
SHARE = 0.33
# Chosen: what crosses main memory crosses the chip, too; a tenth more is traffic of its own.
OWN = 1.1


@rule(
    "RM208",
    "bound by several things at once",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="timing", launch=0.41, memory=0.37, math=0.0)},
    silent={"loads": Loads(origin="timing", launch=0.1, memory=0.5, math=0.0)},
)
def bound_mixed(loads: Loads) -> str:
    """Two or more loads are of the same size, and none of them is near its peak.

    Why it matters: removing one of them wins at most its own share.
    What would confirm it: a fit of time over bytes; its constant part is the start and the waiting.
    What to do: overlap them (prefetch the next tile, several blocks per SM), or shrink both.
    """
    own = known(loads.chip) >= OWN * known(loads.memory)
    names = {
        "the launch": loads.launch,
        "main memory": loads.memory,
        "the chip": loads.chip if own else 0.0,
        "arithmetic": loads.math,
    }
    near = [f"{name} {percent(load)}" for name, load in names.items() if known(load) >= SHARE]
    return " and ".join(near) if len(near) > 1 else ""
