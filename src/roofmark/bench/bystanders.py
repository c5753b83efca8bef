"""What programs outside of this run did to the host while batches were timed.

In: the cores of the workers, CPU time of the run's own processes. Out: `Bystanders`, or Missing
with the reason. /proc/stat counts everybody's time in ticks, so it tells little of one batch and
enough of a whole series; our own time is taken off, that of processes which ended included, so
nothing that a candidate does makes the host look busy. The load average would not do: it remembers
a minute, in which a run starts its own processes side by side.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roofmark.bench.host import Host
from roofmark.bystanders import Bystanders
from roofmark.records import Missing
from roofmark.units import Seconds

# Chosen: below this a tick of 10 ms on each core would be told as a tenth of one.
_LEAST_SECONDS = 0.1
_HERTZ = 100  # Source: proc_stat(5): USER_HZ, 100 on every architecture that torch runs on
_CORE = re.compile(r"^cpu(\d+) ((?:\d+ ?)+)$", re.M)


@dataclass(frozen=True)
class Spent:
    """CPU time until one moment: everybody's, what was stolen, and of each part of the run."""

    at: Seconds
    all: Seconds
    stolen: Seconds
    own: Mapping[str, Seconds]


def read_spent(
    cores: Sequence[int], own: Mapping[str, Seconds], *, host: Host | None = None
) -> Spent | Missing:
    """Return what was spent on these cores so far. own: CPU time of each part of this run."""
    text = (host or Host()).read("proc/stat")
    if isinstance(text, Missing):
        return text
    ticks = parse_cores(text, cores)
    if isinstance(ticks, Missing):
        return ticks
    busy, stolen = ticks
    return Spent(time.monotonic(), busy / _HERTZ, stolen / _HERTZ, own)


def parse_cores(stat: str, cores: Sequence[int]) -> tuple[int, int] | Missing:
    """Return ticks that these cores were busy, and that were stolen from them.

    Source: proc_stat(5): user nice system idle iowait irq softirq steal.
    """
    found = {int(m[1]): list(map(int, m[2].split())) for m in _CORE.finditer(stat)}
    if not set(cores) <= found.keys() or any(len(found[core]) < 8 for core in cores):
        return Missing(reason="/proc/stat does not tell of every core")
    mine = [found[core] for core in cores]
    return sum(sum(t[:3]) + t[5] + t[6] for t in mine), sum(t[7] for t in mine)


def spent_between(before: Spent | Missing, after: Spent | Missing) -> Bystanders | Missing:
    """Return what others took between two moments, in cores."""
    if isinstance(before, Missing):
        return before
    if isinstance(after, Missing):
        return after
    span = after.at - before.at
    if span < _LEAST_SECONDS:
        return Missing(reason="batches took no longer than a few ticks of the host's clock")
    # A worker that was ended meanwhile counts as somebody else: it is not there to be asked.
    own = sum(max(0.0, now - before.own.get(name, 0.0)) for name, now in after.own.items())
    others = max(0.0, after.all - before.all - own) / span
    return Bystanders(
        cores=round(others, 4), stolen=round(max(0.0, after.stolen - before.stolen) / span, 4)
    )
