"""RM209: counters and times name different bounds."""

from roofmark.analysis.bounds import Loads, classify, percent
from roofmark.analysis.rules import rule
from roofmark.analysis.verdict import Bound
from roofmark.records import Missing


@rule(
    "RM209",
    "counters and times name different bounds",
    per="cell",
    moves="",
    fires={
        "loads": Loads(origin="timing", launch=0.1, memory=0.2, math=0.0),
        "counted": Loads(origin="counters", launch=0.1, memory=0.2, chip=0.65, math=0.65),
    },
    silent={
        "loads": Loads(origin="timing", launch=0.1, memory=0.8, math=0.0),
        "counted": Loads(origin="counters", launch=0.1, memory=0.75, chip=0.75, math=0.2),
    },
    devices=("cuda",),
)
def bound_disagree(loads: Loads, counted: Loads) -> str:
    """Counters of a profiled call and the times of the measured ones name different bounds.

    Why it matters: each is blind where the other sees. Times know the declared bytes and flops
    alone, so work that nobody declared (exponentials, conversions, bytes moved twice) looks to them
    like waiting. Counters know one call, taken apart from the measurement, with flushed caches and
    whatever clocks there were; in a kernel of a few microseconds they count its start and its end,
    too. The bound that is shown is the one by counters.
    What to do: believe the counters where a kernel takes tens of microseconds or more, and declare
    the work that they see; near the launch floor believe the times. docs/bounds.md tells which
    disagreements are known. There is nothing to accept, because no verdict moves.
    """
    by_times, by_counters = classify(loads), classify(counted)
    if not isinstance(by_times, Bound) or not isinstance(by_counters, Bound):
        return ""
    # Times that name nothing contradict nothing.
    if by_times.kind in ("unknown", by_counters.kind):
        return ""
    return (
        f"{by_times.kind} by times ({_told(loads)}), "
        f"{by_counters.kind} by counters ({_told(counted)})"
    )


def _told(loads: Loads) -> str:
    names = {
        "launch": loads.launch,
        "memory": loads.memory,
        "on-chip": loads.chip,
        "arithmetic": loads.math,
    }
    known = {name: load for name, load in names.items() if not isinstance(load, Missing)}
    return ", ".join(f"{name} {percent(load)}" for name, load in known.items())
