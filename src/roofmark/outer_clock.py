"""The outer clock: what a batch took from outside of the worker, and how well that is known.

In: batches of one solution and of everybody in one process set. Out: seconds of the calls alone,
and by how many seconds an honest batch may be longer. The bench asks it whether to look again, the
judge whom to accuse (RM508), so neither looks for what the other does not see.

Empty batches tell what surrounds the calls: of several, the quickest one, as the quickest batch is
taken too. A candidate could make all its own empty batches slow, so at most a bounded part above
the quickest one of anybody is believed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from roofmark.evidence import Batch
from roofmark.records import Missing
from roofmark.study import Device
from roofmark.units import Bytes, Seconds

# Chosen: what putting one call's results in place may take beyond what anybody's takes: looking at
# them, and copying them at a rate that every host (device) surpasses.
_STORE_SECONDS: dict[Device, float] = {"cpu": 20e-6, "cuda": 8e-6}
_STORE_RATE: dict[Device, float] = {"cpu": 2e9, "cuda": 2e11}

# Chosen: how far two empty batches are apart at their best, on a quiet host and on a busy one, and
# how much of what surrounds the calls an empty batch misses: the first touch of fresh memory.
_SLACK_SECONDS, _SLACK_SHARE = 60e-6, 0.1


# Chosen: as long as a host may take to launch a graph again; development saw 10 us for one of eight
# calls.
LAUNCH_SECONDS = 20e-6
# Chosen: a host that disturbs three batches in a row disturbs any; one alone says little.
_ENOUGH = 3
# Chosen: the resolution of the finest clock; nobody's calls take nothing.
_LEAST_SECONDS = 1e-9


@dataclass(frozen=True)
class Outside:
    """seconds: what the calls of one batch took. said: what its samples give them.

    slack: how much longer they may be. free: what they would have taken had no thread waited for a
    core. cores: how many the worker kept busy meanwhile; 0 if that is not known.
    """

    seconds: Seconds
    said: Seconds
    slack: Seconds
    free: Seconds | Missing
    cores: float


def middle_of_visits(medians: Iterable[Seconds]) -> Seconds:
    """Return the middle of some visits' medians as a verdict takes it: of their logarithms.

    Of an even number that is less than halfway between the two in the middle: who says next to
    nothing in one visit and twice the truth in another has an honest half, and a verdict of many
    times.
    """
    return math.exp(median(math.log(max(each, _LEAST_SECONDS)) for each in medians))


def look_from_outside(
    own: Sequence[Batch],
    everybodys: Iterable[Batch],
    sample: Seconds,
    *,
    device: Device,
    stored: Bytes,
    cpu: bool,
) -> Outside:
    """Return how long the calls of a solution's batches took: of the one nearest to its samples.

    own: one at least; batches may differ in rounds, and in calls: where a few have the most calls,
    only they count, as noise is a larger share of the others. everybodys: those of all solutions in
    this process set, own ones included. sample: seconds of a call by its own word. stored: bytes of
    the outputs of one call. cpu: take the CPU time in a batch where that is known and less: a host
    that is busy makes it longer, and no work takes less CPU time than time.
    """
    own, everybody = _longest(own), list(everybodys)
    allowed = allowed_to_store(device, stored)
    empties = [(batch.calls, batch.empty) for batch in everybody]
    around = {
        calls: _around([b.empty for b in same], empties, calls, allowed)
        for calls, same in _by_calls(own).items()
    }
    seconds = [batch.seconds - around[batch.calls] for batch in own]
    if cpu:
        busy = _busy(own, everybody, allowed)
        seconds = [min(each, busy.get(b.calls, each)) for each, b in zip(seconds, own, strict=True)]
    said = [said_by_samples(batch, sample) for batch in own]
    nearest = min(range(len(own)), key=lambda at: seconds[at] / said[at])
    return Outside(
        seconds[nearest],
        said[nearest],
        _SLACK_SECONDS + _SLACK_SHARE * around[own[nearest].calls],
        _free(own, sample, around, said[nearest]),
        _cores(own),
    )


def allowed_to_store(device: Device, stored: Bytes) -> Seconds:
    """Return how much longer than anybody's one call's results may take to be put in place."""
    return _STORE_SECONDS[device] + stored / _STORE_RATE[device]


def said_by_samples(batch: Batch, sample: Seconds) -> Seconds:
    """Return what a batch takes if each of its calls takes what a sample says.

    A graph of short calls that is made again waits for its launch: no round is shorter than that.
    """
    once = batch.calls * max(sample, _LEAST_SECONDS)
    return batch.rounds * (max(once, LAUNCH_SECONDS) if batch.rounds > 1 else once)


def _longest(own: Sequence[Batch]) -> Sequence[Batch]:
    most = max(batch.calls for batch in own)
    longest = [batch for batch in own if batch.calls == most]
    return longest if len(longest) >= _ENOUGH else own


def _by_calls(batches: Iterable[Batch]) -> dict[int, list[Batch]]:
    found: dict[int, list[Batch]] = {}
    for batch in batches:
        found.setdefault(batch.calls, []).append(batch)
    return found


def _around(
    own: Sequence[Seconds], everybodys: Iterable[tuple[int, Seconds]], calls: int, allowed: Seconds
) -> Seconds:
    """Return what surrounds so many calls: the quickest of its own, within what anybody's tells.

    everybodys: calls of an empty batch, and what it took. Part of that grows with the calls and
    none of it shrinks, so who made fewer of them bounds it as well. allowed: for each call more.
    """
    quickest = min(empty * max(1.0, calls / each) for each, empty in everybodys)
    return min(*own, quickest + calls * allowed)


def _busy(own: Sequence[Batch], everybody: Sequence[Batch], allowed: Seconds) -> dict[int, Seconds]:
    """Return by number of calls what CPU time they took, where that is known.

    An empty batch of which it is not known takes no more of it than time: one thread hands out.
    """
    known = [(batch.calls, batch.empty_busy) for batch in everybody if batch.empty_busy > 0]
    found: dict[int, Seconds] = {}
    for calls, same in _by_calls(own).items():
        busy = [batch.busy for batch in same if batch.busy > 0]
        if busy and any(batch.empty_busy > 0 for batch in same):
            empty = [batch.empty_busy or batch.empty for batch in same]
            found[calls] = min(busy) - _around(empty, known, calls, allowed)
    return found


def _free(
    own: Sequence[Batch], sample: Seconds, around: Mapping[int, Seconds], said: Seconds
) -> Seconds | Missing:
    """Return what batches took beside what threads waited for cores, as long as `said`.

    A thread that waits makes its batch longer by that at most, and several by the sum, so every
    batch takes this at least on a host of its own. Half of them taking more is no accident.
    """
    free = [
        (batch.seconds - batch.held - around[batch.calls]) / said_by_samples(batch, sample)
        for batch in own
        if not isinstance(batch.held, Missing)
    ]
    if 2 * len(free) <= len(own):
        return Missing(reason="threads or processes ended, and their waits with them")
    return said * median(free)


def _cores(own: Sequence[Batch]) -> float:
    """Return how many cores the worker kept busy in most batches whose CPU time is known."""
    known = [batch.busy / batch.seconds for batch in own if batch.busy > 0]
    return median(known) if known else 0.0
