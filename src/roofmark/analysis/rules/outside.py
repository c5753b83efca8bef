"""Facts of the second clock: batches that the orchestrator timed, against the worker's samples.

In: a case, a place. Out: per process, what a batch took from outside, what the samples say of it,
how far the two of the baseline are apart, and how well the difference is known. Empty batches tell
what surrounds the calls. A candidate could make its own empty batches slow, so at most a bounded
part above the quickest one of anybody is believed.
"""

from math import fsum
from statistics import median

from roofmark.analysis.compare import Place, kept_samples
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.evidence import Batch, CpuReading, Passed
from roofmark.records import Missing
from roofmark.study import Device, twin_of

# Chosen: what putting one call's results in place may take beyond what anybody's takes: looking at
# them, and copying them at a rate that every host (device) surpasses.
_STORE_SECONDS: dict[Device, float] = {"cpu": 20e-6, "cuda": 8e-6}
_STORE_RATE: dict[Device, float] = {"cpu": 2e9, "cuda": 2e11}

# Chosen: how far two empty batches are apart at their best, on a quiet host and on a busy one, and
# how much of what surrounds the calls an empty batch misses: the first touch of fresh memory.
_SLACK_SECONDS, _SLACK_SHARE = 60e-6, 0.1

# Chosen: the resolution of the finest clock; nobody's calls take nothing.
_LEAST_SECONDS = 1e-9

# Chosen: beyond every ratio: threads that share cores with others are late by any factor.
BUSY = 1e9

Clocks = tuple[float, float, float, float]
"""Seconds of a batch from outside, seconds that the samples give it, the baseline's ratio of both,
and by how many seconds an honest batch may be longer."""


@fact
def clocks(case: Case, place: Place) -> tuple[Clocks, ...] | Missing:
    """Per process: batch by either clock, the baseline's ratio of both, the slack.

    The baseline's ratio is the larger one of itself and its twin, and 1 at least: a host that
    disturbs batches disturbs theirs.
    """
    series = case.scene.series.get(place)
    found: list[Clocks] = []
    for process, passed in series.passed() if series else ():
        both = _both(case, place, process, passed)
        if both is not None:
            seen, said, slack = both
            around = BUSY if _busy(case, passed) else _disturbance(case, place, process)
            found.append((seen, said, around, slack))
    return tuple(found) or Missing(reason="no batch was timed from outside")


def _both(
    case: Case, place: Place, process: int, passed: Passed, *, clock: bool = False
) -> tuple[float, float, float] | None:
    """Return seconds of a batch from outside and by the samples, and the slack.

    From outside: what it took, or the CPU time in it if that is less: a host that is busy makes it
    longer, and no work takes less CPU time than time. clock: what it took alone.
    """
    batches = [batch for batch in passed.batches if batch.tier == case.scene.tier]
    samples = [
        median(kept)
        for m in passed.measurements
        if m.tier == case.scene.tier
        for visit in m.visits
        if (kept := kept_samples(visit))
    ]
    if not batches or not samples:
        return None
    calls = batches[0].calls * batches[0].rounds
    said = max(calls * median(samples), _LEAST_SECONDS)
    allowed = batches[0].calls * _allowance(case, place[0])
    all_batches = _batches(case, place[0], process)
    around = min(median(b.empty for b in batches), min(b.empty for b in all_batches) + allowed)
    seen = min(batch.seconds for batch in batches) - around
    if not clock and all(batch.busy > 0 for batch in batches):
        quickest = min(b.empty_busy for b in all_batches)
        busy = min(median(b.empty_busy for b in batches), quickest + allowed)
        seen = min(seen, min(batch.busy for batch in batches) - busy)
    return seen, said, _SLACK_SECONDS + _SLACK_SHARE * around


def _batches(case: Case, workload: str, process: int) -> list[Batch]:
    """Return all batches of any solution in this process set."""
    return [
        batch
        for (where, _), series in case.scene.series.items()
        if where == workload
        for number, passed in series.passed()
        if number == process
        for batch in passed.batches
    ]


def _allowance(case: Case, workload: str) -> float:
    axes = case.study.axes(next(w for w in case.study.workloads if w.id == workload))
    size = fsum(tensor.size(axes) for tensor in case.study.definition.outputs.values())
    return _STORE_SECONDS[case.run.device] + size / _STORE_RATE[case.run.device]


def _busy(case: Case, passed: Passed) -> bool:
    """Whether more programs wanted to run than the host has cores, this solution's own included."""
    loads = [reading.load for reading in passed.readings if isinstance(reading, CpuReading)]
    return bool(loads) and median(loads) > case.environment.cpu.cores


def _disturbance(case: Case, place: Place, process: int) -> float:
    """Return by how much the host makes batches of the baseline longer than its samples."""
    baseline = case.study.baseline
    ratios = [1.0]
    for name in {baseline, twin_of(baseline)} - {place[1]}:
        series = case.scene.series.get((place[0], name))
        for number, passed in series.passed() if series else ():
            if number == process and (
                both := _both(case, (place[0], name), process, passed, clock=True)
            ):
                seen, said, slack = both
                ratios.append((seen - slack) / said)
    return max(ratios)
