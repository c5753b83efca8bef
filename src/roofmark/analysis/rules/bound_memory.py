"""RM204: main memory is the roof."""

from roofmark.analysis.bounds import Loads, known, percent
from roofmark.analysis.rules import rule
from roofmark.records import Missing

# Source: the field's usual threshold for a kernel that main memory limits, by counters. Chosen: by
# times half, because compulsory bytes are fewer than those that really move.
SHARE = {"counters": 0.6, "timing": 0.5}
# Chosen: half is enough where nothing else comes near: the rest is the start and the end of a short
# kernel, which counters average in.
ALONE, OTHERS = 0.5, 0.3
# Chosen: what crosses main memory crosses the chip, too; a tenth more is traffic of its own.
OWN = 1.1


@rule(
    "RM204",
    "bound by main memory",
    per="bound",
    moves="",
    fires={"loads": Loads(origin="counters", memory=0.73, chip=0.73, math=0.19)},
    silent={"loads": Loads(origin="counters", memory=0.16, chip=0.7, math=0.91)},
)
def bound_memory(loads: Loads) -> str | Missing:
    """Main memory moves bytes at half of its rate or more (60 % by counters, if others are busy).

    Why it matters: the time left to win is what the headroom says, unless fewer bytes move.
    What would confirm it: bytes that really crossed main memory (counters) beside the compulsory
    ones; a time that grows in proportion to the bytes.
    What to do: move fewer bytes (fuse, narrower types, no second pass), then wider and more loads
    in flight.
    """
    if isinstance(loads.memory, Missing):
        return loads.memory
    others = max(known(loads.math), known(loads.tensor))
    alone = others < OTHERS and known(loads.chip) < OWN * loads.memory
    if loads.memory < (ALONE if alone else SHARE[loads.origin]):
        return ""
    return f"main memory moves bytes at {percent(loads.memory)} of its rate"
