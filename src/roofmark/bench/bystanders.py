"""What programs outside of this run did to the host while batches were timed.

In: the cores of the workers, the processes of the run. Out: `Bystanders`, or Missing with the
reason. /proc/stat counts everybody's time in ticks, so it tells little of one batch and enough of a
whole series of them; our own time is taken off, so nothing that a candidate does makes the host
look busy. The load average would not do: it remembers a minute, in which a run starts its own
processes side by side.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roofmark.bench.host import Host
from roofmark.bench.waiting import look_at
from roofmark.evidence import Bystanders
from roofmark.records import Missing
from roofmark.units import Seconds

# Chosen: below this a tick of 10 ms on each core would be told as a tenth of one.
_LEAST_SECONDS = 0.1
_HERTZ = 100  # Source: proc_stat(5): USER_HZ, 100 on every architecture that torch runs on
_CORE = re.compile(r"^cpu(\d+) ((?:\d+ ?)+)$", re.M)


@dataclass(frozen=True)
class Spent:
    """CPU time until one moment: everybody's, what was stolen, that of each of our processes."""

    at: Seconds
    all: Seconds
    stolen: Seconds
    own: dict[int, Seconds]


def read_spent(
    cores: Sequence[int], own: Iterable[int], *, host: Host | None = None
) -> Spent | Missing:
    """Return what was spent on these cores so far. own: every process of this run."""
    text = (host or Host()).read("proc/stat")
    if isinstance(text, Missing):
        return text
    ticks = parse_cores(text, cores)
    if isinstance(ticks, Missing):
        return ticks
    busy, stolen = ticks
    return Spent(
        time.monotonic(), busy / _HERTZ, stolen / _HERTZ, look_at(own, threads=False).processes
    )


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
    # What ended meanwhile counts as somebody else's: it is no longer there to be asked.
    own = sum(now - before.own.get(pid, 0.0) for pid, now in after.own.items())
    others = max(0.0, after.all - before.all - own) / span
    return Bystanders(
        cores=round(others, 4), stolen=round(max(0.0, after.stolen - before.stolen) / span, 4)
    )
