"""Facts of the second clock: batches that the orchestrator timed, against the worker's samples.

In: a case, a place. Out: per process, what a batch took from outside, what the samples say of it,
how far the two of the baseline are apart, and how well the difference is known (outer_clock.py).
"""

from collections.abc import Sequence
from statistics import fmean, median

from roofmark.analysis.compare import Place, kept_samples
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.analysis.rules.machine_facts import cores
from roofmark.evidence import Batch, CpuReading, Passed
from roofmark.outer_clock import Outside, look_from_outside, middle_of_visits
from roofmark.records import Missing
from roofmark.study import twin_of

# Chosen: beyond every ratio: threads that share cores with others are late by any factor.
BUSY = 1e9

# Chosen: a host that does nothing keeps 0.01 to 0.05 of a core busy, as this is measured. Others
# that take a tenth of one core cannot be there in all of a dozen batches.
QUIET = 0.1

# Chosen: a worker stands still for up to a quarter of a batch, while its outputs are copied away.
# Recorded honest threads that wanted more cores than there were kept 90 % of them busy, and one
# thread beside helpers that sleep 40 % of two.
FULL = 0.75

# Chosen: what lies around a call inside a batch and not inside a sample (two readings of a clock, a
# loop) is a few percent of the shortest calls; a cheat that gains less than a fifth hides in it. A
# busy host's calls have a mean of 1.05 to 1.2 times their median.
FACTOR = 1.25

Clocks = tuple[float, float, float, float]
"""Seconds of a batch from outside, seconds that the samples give it, the baseline's ratio of both,
and by how many seconds an honest batch may be longer."""


@fact
def clocks(case: Case, place: Place) -> tuple[Clocks, ...] | Missing:
    """Per process: batch by either clock, the baseline's ratio of both, the slack.

    The baseline's ratio is the larger one of itself and its twin, and 1 at least: a host that
    disturbs batches disturbs theirs. Where others, or these batches' own threads, kept all cores
    busy it also holds what the threads of these batches waited for cores, and where its calls are
    uneven by how much their mean is above their median: a batch is a sum.
    """
    series = case.scene.series.get(place)
    found: list[Clocks] = []
    for process, passed in series.passed() if series else ():
        seen = _look(case, place, process, passed)
        if seen is not None:
            around = _disturbance(case, place, process) * _held_up(case, place, passed, seen)
            around *= _excess(seen, _tail(case, passed))
            found.append((seen.seconds, seen.said, around, seen.slack))
    return tuple(found) or Missing(reason="no batch was timed from outside")


def _look(
    case: Case, place: Place, process: int, passed: Passed, *, clock: bool = False
) -> Outside | None:
    """Return a batch from outside. clock: by the clock alone, without the CPU time in it."""
    batches = [b for b in passed.batches if b.tier == case.scene.tier and b.rounds]
    samples = [median(kept) for kept in _visits(case, passed)]
    if not batches or not samples:
        return None
    return look_from_outside(
        batches,
        _batches(case, place[0], process),
        middle_of_visits(samples),
        device=case.run.device,
        stored=_stored(case, place[0]),
        cpu=not clock,
    )


def _visits(case: Case, passed: Passed) -> list[Sequence[float]]:
    """Return the samples of each visit that has some."""
    tier = case.scene.tier
    found = [kept_samples(v) for m in passed.measurements if m.tier == tier for v in m.visits]
    return [kept for kept in found if kept]


def _tail(case: Case, passed: Passed) -> float:
    """Return by how much the calls' mean is above their median, by their own word; 1 if little.

    By visits, as a verdict takes them: a visit of next to nothing is not made up for by another.
    """
    visits = _visits(case, passed)
    if not visits:
        return 1.0
    middle = middle_of_visits(median(kept) for kept in visits)
    ratio = middle_of_visits(fmean(kept) for kept in visits) / middle
    return ratio if ratio > FACTOR else 1.0


def _excess(seen: Outside, tail: float) -> float:
    """Return by how much more than the samples' median says a batch may take for their tail."""
    return (FACTOR * seen.said * tail + seen.slack) / (FACTOR * seen.said + seen.slack)


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


@fact
def level(case: Case, place: Place) -> float:
    """The confidence that the study asks of a verdict."""
    return case.study.protocol.level


@fact
def crowded(case: Case, place: Place) -> bool:
    """Whether its batches were late by what threads waited for cores, in most processes, although
    nobody else was there: they took them from one another.
    """
    series = case.scene.series.get(place)
    found = [
        _quiet(passed) and _held_up(case, place, passed, seen) > 1
        for process, passed in (series.passed() if series else ())
        if (seen := _look(case, place, process, passed)) is not None
    ]
    return 2 * sum(found) > len(found)


@fact
def uneven(case: Case, place: Place) -> bool:
    """Whether in most processes its calls' mean, which a batch holds, is far above their median."""
    series = case.scene.series.get(place)
    found = [_tail(case, passed) > 1 for _, passed in (series.passed() if series else ())]
    return 2 * sum(found) > len(found)


def _held_up(case: Case, place: Place, passed: Passed, seen: Outside) -> float:
    """Return by how much waits for cores may have made the quickest batch longer.

    An excuse where others took its cores, or where its own threads filled all of them: what they
    waited then is no lie, and nothing that samples hold either. Threads that wait for one another
    beside idle cores have been put there.
    """
    if isinstance(passed.bystanders, Missing):
        return BUSY if _loaded(case, place, passed) else 1.0
    if _quiet(passed):
        known = not isinstance(seen.free, Missing)
        return _waited(seen) if known and _full(case, passed, seen) else 1.0
    # Time that a hypervisor takes is no wait that the guest's kernel knows of.
    ended = any(isinstance(batch.held, Missing) for batch in passed.batches if batch.rounds)
    return BUSY if passed.bystanders.stolen >= QUIET or ended else _waited(seen)


def _waited(seen: Outside) -> float:
    if isinstance(seen.free, Missing) or seen.free <= 0:
        return BUSY
    return max(1.0, seen.seconds / seen.free)


def _quiet(passed: Passed) -> bool:
    """Whether it is known that nobody else kept cores busy while batches were taken."""
    others = passed.bystanders
    return not isinstance(others, Missing) and others.cores + others.stolen < QUIET


def _full(case: Case, passed: Passed, seen: Outside) -> bool:
    """Whether its batches kept all cores busy: by their calls, not by what runs unasked (RM509)."""
    unasked = any(sign.kind == "restless" for sign in passed.signs)
    return not unasked and seen.cores >= FULL * case.environment.cpu.cores


def _loaded(case: Case, place: Place, passed: Passed) -> bool:
    """Whether more programs wanted to run than the host has cores, the run's own included.

    All that is known where bystanders were not looked at; the start of a run's processes counts.
    """
    loads = [reading.load for reading in passed.readings if isinstance(reading, CpuReading)]
    return bool(loads) and median(loads) > cores(case, place)


def _disturbance(case: Case, place: Place, process: int) -> float:
    """Return by how much batches of the baseline are longer than its samples, waits aside."""
    baseline = case.study.baseline
    ratios = [1.0]
    for name in {baseline, twin_of(baseline)} - {place[1]}:
        series = case.scene.series.get((place[0], name))
        for number, passed in series.passed() if series else ():
            if number == process and (
                seen := _look(case, (place[0], name), process, passed, clock=True)
            ):
                # What a quiet host's baseline waits for, its own threads have, as others' have.
                held = 1.0 if _quiet(passed) else _held_up(case, place, passed, seen)
                alone = seen.seconds if held == BUSY else seen.seconds / held
                ratios.append((alone - seen.slack) / seen.said)
    return max(ratios)
