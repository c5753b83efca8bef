"""RM205: caches or shared memory are the roof."""

from roofmark.analysis.bounds import Loads, known, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Source: the field's usual thresholds: the memory system 70 % busy, and 15 points ahead of the SMs.
SHARE = 0.7
AHEAD = 0.15
# Chosen: half of its peak is enough where nothing else does even half as much.
ALONE = 0.5


@rule(
    "RM205",
    "bound on the chip",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="counters", memory=0.05, chip=0.8, math=0.3)},
    silent={"loads": Loads(origin="counters", memory=0.05, chip=0.7, math=0.91)},
)
def bound_chip(loads: Loads) -> str | Missing:
    """L2, L1 or shared memory is the busiest unit, and main memory is not.

    Why it matters: main memory's roof does not apply; the chip's own bandwidth does.
    What would confirm it: L2 and L1 throughput apart, hit rates, bank conflicts.
    What to do: reuse in registers, wider accesses, no bank conflicts, fewer atomics on one address.
    """
    if isinstance(loads.chip, Missing):
        if loads.resident and known(loads.math) < ALONE:
            return "the working set is in the last-level cache and no other unit is near its peak"
        return "" if loads.resident else loads.chip
    others = max(known(loads.memory), known(loads.math))
    leads = loads.chip >= SHARE and others <= loads.chip - AHEAD
    alone = loads.chip >= ALONE and others <= loads.chip / 2
    if not (leads or alone):
        return ""
    return f"the busiest of L1, L2 and shared memory is at {percent(loads.chip)}"
