"""Facts of the second clock: batches that the orchestrator timed, against the worker's samples.

In: a case, a place. Out: per process, what a batch took from outside, what the samples say of it,
how far the two of the baseline are apart, and how well the difference is known (outer_clock.py).
"""

from statistics import median

from roofmark.analysis.compare import Place, kept_samples
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.evidence import Batch, CpuReading, Passed
from roofmark.outer_clock import look_from_outside
from roofmark.records import Missing
from roofmark.study import twin_of

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

    clock: by the clock alone, without the CPU time in it.
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
    found = look_from_outside(
        batches,
        _batches(case, place[0], process),
        device=case.run.device,
        stored=_stored(case, place[0]),
        cpu=not clock,
    )
    said = max(batches[0].calls * batches[0].rounds * median(samples), _LEAST_SECONDS)
    return found.seconds, said, found.slack


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


def _stored(case: Case, workload: str) -> int:
    axes = case.study.axes(next(w for w in case.study.workloads if w.id == workload))
    return sum(tensor.size(axes) for tensor in case.study.definition.outputs.values())


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
