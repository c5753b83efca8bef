"""RM203: nothing is busy; the time is waiting."""

from roofmark.analysis.bounds import Loads, known, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Chosen: three quarters of a plain copy's speed at the same size; a copy has all the parallelism
# that so few bytes allow.
COPY = 0.75
# Source: the field's usual threshold for an under-used device, 30 % by counters; by times 40 %,
# because compulsory bytes are fewer than those that really move.
IDLE = {"counters": 0.3, "timing": 0.4}
MEMORY_BOUND = 0.6


@rule(
    "RM203",
    "bound by latency",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="counters", memory=0.05, chip=0.08, math=0.02)},
    silent={"loads": Loads(origin="counters", memory=0.7, chip=0.7, math=0.2)},
)
def bound_latency(loads: Loads) -> str | Missing:
    """No unit of the device is busy: the time is spent waiting for one thing after another.

    Why it matters: too few warps, waves or bytes in flight, or a long chain of dependent steps. The
    roofs of memory and arithmetic are far away and say little.
    What would confirm it: stall reasons and eligible warps per cycle; a sweep over the grid's size.
    What to do: give it more parallelism (split the reduction, smaller tiles), more loads in flight
    per thread, or shorter chains.
    """
    if isinstance(loads.memory, Missing) and isinstance(loads.chip, Missing):
        return loads.memory
    if loads.resident:
        return ""
    busiest = max(known(loads.memory), known(loads.chip), known(loads.math))
    if busiest < IDLE[loads.origin]:
        return (
            f"nothing is busy: main memory {percent(loads.memory)}, on-chip "
            f"{percent(loads.chip)}, arithmetic {percent(loads.math)}"
        )
    if known(loads.copied) >= COPY and busiest < MEMORY_BOUND:
        return (
            f"a plain copy of so few bytes takes {percent(loads.copied)} of this time, and reaches "
            "no more of the memory's rate: too few bytes are in flight at this size"
        )
    return ""
