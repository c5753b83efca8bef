"""The outer clock: what a batch took from outside of the worker, and how well that is known.

In: batches of one solution and of everybody in one process set. Out: seconds of the calls alone,
and by how many seconds an honest batch may be longer. The bench asks it whether to look again, the
judge whom to accuse (RM508), so neither looks for what the other does not see.

Empty batches tell what surrounds the calls. A candidate could make its own empty batches slow, so
at most a bounded part above the quickest one of anybody is believed.
"""

import math
from collections.abc import Iterable, Sequence
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
# Chosen: the resolution of the finest clock; nobody's calls take nothing.
_LEAST_SECONDS = 1e-9


@dataclass(frozen=True)
class Outside:
    """seconds: what the calls of one batch took. said: what its samples give them.

    slack: how much longer they may be. free: what they would have taken had no thread waited for a
    core; 0 if that is not known.
    """

    seconds: Seconds
    said: Seconds
    slack: Seconds
    free: Seconds


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

    own: one at least; batches may differ in rounds. everybodys: those of all solutions in this
    process set, own ones included. sample: seconds of a call by its own word. stored: bytes of the
    outputs of one call. cpu: take the CPU time in a batch where that is known and less: a host that
    is busy makes it longer, and no work takes less CPU time than time.
    """
    everybody = list(everybodys)
    allowed = own[0].calls * (_STORE_SECONDS[device] + stored / _STORE_RATE[device])
    quickest = min(batch.empty for batch in everybody)
    around = min(median(batch.empty for batch in own), quickest + allowed)
    said, seconds = min(
        ((said_by_samples(batch, sample), batch.seconds - around) for batch in own),
        key=lambda each: each[1] / each[0],
    )
    free = said * _free(own, sample, around)
    if cpu and (whole := [batch for batch in own if batch.busy > 0 and batch.empty_busy > 0]):
        quickest = min(batch.empty_busy for batch in everybody if batch.empty_busy > 0)
        busy = min(median(batch.empty_busy for batch in whole), quickest + allowed)
        seconds = min(seconds, min(batch.busy for batch in whole) - busy)
    return Outside(seconds, said, _SLACK_SECONDS + _SLACK_SHARE * around, free)


def said_by_samples(batch: Batch, sample: Seconds) -> Seconds:
    """Return what a batch takes if each of its calls takes what a sample says.

    A graph of short calls that is made again waits for its launch: no round is shorter than that.
    """
    once = batch.calls * max(sample, _LEAST_SECONDS)
    return batch.rounds * (max(once, LAUNCH_SECONDS) if batch.rounds > 1 else once)


def _free(own: Sequence[Batch], sample: Seconds, around: Seconds) -> float:
    """Return what batches took beside what threads waited for cores, over what samples say.

    A thread that waits makes its batch longer by that at most, and several by the sum, so every
    batch takes this at least on a host of its own. Half of them taking more is no accident.
    0 if not known of each.
    """
    free = [
        (batch.seconds - batch.held - around) / said_by_samples(batch, sample)
        for batch in own
        if not isinstance(batch.held, Missing)
    ]
    return median(free) if len(free) == len(own) else 0.0
