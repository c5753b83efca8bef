"""The second clock: batches of calls timed from outside the worker, once in each process set.

In: a crew and ledgers that hold samples. Out: the ledgers, with batches. A worker's samples come
from a process in which the candidate's code runs, so that code can make them say anything. A batch
is timed by the orchestrator, over values that the worker gets when the clock has started, and the
clock stops when the outputs can no longer change. Whatever was patched, cached, worked ahead or
put off: the work of a batch is done within it, or its outputs are wrong.

A batch also holds what surrounds the calls. That part is measured by an empty batch, which does
everything else; what the candidate may add to it is bounded where both are judged (RM508).
"""

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roofmark.bench.bystanders import spent_between
from roofmark.bench.ledger import Ledger
from roofmark.bench.messages import Draw, Go, Poised
from roofmark.bench.plan import deciding_tier
from roofmark.bench.process import ChildFailed, ReplyFailed
from roofmark.bench.seam import Crew, Taken
from roofmark.evidence import Batch, Sign
from roofmark.outer_clock import (
    LAUNCH_SECONDS,
    allowed_to_store,
    look_from_outside,
    middle_of_visits,
)
from roofmark.records import Missing
from roofmark.study import Tier, twin_of
from roofmark.units import Seconds, show

if TYPE_CHECKING:
    from roofmark.bench.measure import Task

# Chosen: a host that is busy makes a batch longer and never shorter, so a few tries clear an honest
# solution; one whose samples lie disagrees every time. On a host where the baseline disagrees as
# well nothing could be told, so there is more patience. The baseline and its twin are there to tell
# what the host does to batches; while nobody else waits for that, a few of theirs are enough.
_TRIES, _MOST_TRIES, _ALONE_TRIES = 12, 24, 4
# Chosen: less than half of what is judged (RM508), so that what may be accused is looked at again.
_AGREES, _AGREES_SLACK = 1.1, 0.5
# Chosen: most empty batches of honest solutions are within this share of what is allowed above the
# quickest; one that is alone and slower may hide a lie by accident, and is not taken at its word.
_ALONE_SHARE = 0.25
# Chosen: on a host that is quick three times of ten, fifteen empty batches are all slow in 0.5 %;
# five of one solution's own are enough where the baseline has none to show.
_SURE, _OWN = 15, 5
# Chosen: ten times what an empty batch on a GPU varies by, so that half of it cannot hide there.
_BATCH_SECONDS, _DOUBLINGS = 6e-3, 4
# Chosen: what takes so long is long against what surrounds it, whatever its samples say; a dozen
# batches of four times that are the most that one solution's disagreement costs.
_LONG_SECONDS = 0.1
# Chosen: a timer that wakes now and then takes a hundredth of a core; the count has ticks of 0.05.
_RESTLESS = 0.1
# Chosen: an honest system call that was under way when a process was stopped ends sooner; who runs
# for no longer than this in all, in dozens of stops, slows nobody down.
_STILL_SECONDS = 5e-3


def take_batches(crew: Crew, task: "Task", ledgers: Mapping[str, Ledger]) -> None:
    """Time a batch of every solution that is alive, again while it disagrees with its samples."""
    tier = deciding_tier(task.protocol, task.device)
    waiting = [name for name, ledger in ledgers.items() if _can(ledger, tier)]
    before = crew.spent()
    _repeat(crew, task, ledgers, waiting)
    bystanders = spent_between(before, crew.spent())
    for name in waiting:
        ledgers[name].bystanders = bystanders


def _repeat(crew: Crew, task: "Task", ledgers: Mapping[str, Ledger], waiting: list[str]) -> None:
    tier = deciding_tier(task.protocol, task.device)
    trusted = {task.baseline, twin_of(task.baseline)}
    for number in range(_MOST_TRIES):
        tries = _MOST_TRIES if trusted & set(waiting) else _TRIES
        if number >= (tries if set(waiting) - trusted else _ALONE_TRIES):
            return
        # The first one is taken whatever the time: who made the run late has gained nothing by it.
        if not waiting or (number and time.monotonic() > task.limit):
            return
        waiting = _take_round(crew, task, number, ledgers, waiting)
        looked = _look_around(crew, task, ledgers, set(waiting) - trusted)
        if looked and task.baseline not in waiting:
            waiting.append(task.baseline)
        everybodys = _everybodys(ledgers)
        waiting = [
            name
            for name in waiting
            if not _agrees(task, tier, ledgers[name], everybodys)
            or not (name in trusted or _settled(task, tier, ledgers[name], everybodys))
        ]


def _look_around(
    crew: Crew, task: "Task", ledgers: Mapping[str, Ledger], names: Collection[str]
) -> bool:
    """Take empty batches of the baseline while few are known and one clears somebody; say if any.

    The baseline may stand beside quicker ones then, and has to agree anew.
    """
    tier = deciding_tier(task.protocol, task.device)
    trusted, looked = ledgers.get(task.baseline), False
    while trusted is not None and _can(trusted, tier) and (calls := _unsure(task, ledgers, names)):
        go = Go(tier=tier, cache=task.protocol.cache, calls=calls, empty=True)
        taken = _timed(crew, task.baseline, go, trusted)
        if taken is None:
            return looked
        trusted.empties.append(_batch(go, taken, taken, rounds=0))
        looked = True
    return looked


def _unsure(task: "Task", ledgers: Mapping[str, Ledger], names: Iterable[str]) -> int:
    """Return the calls of a batch that would clear one of these by luck; 0 if there is none."""
    tier = deciding_tier(task.protocol, task.device)
    everybodys = _everybodys(ledgers)
    for each in (ledgers[name] for name in names):
        agrees = _agrees(task, tier, each, everybodys)
        if agrees and not _settled(task, tier, each, everybodys):
            return max(batch.calls for batch in each.batches)
    return 0


def _everybodys(ledgers: Mapping[str, Ledger]) -> list[Batch]:
    return [batch for each in ledgers.values() for batch in (*each.batches, *each.empties)]


def _take_round(
    crew: Crew, task: "Task", number: int, ledgers: Mapping[str, Ledger], waiting: list[str]
) -> list[str]:
    """Take a batch of each that waits; return who of them is still alive."""
    tier = deciding_tier(task.protocol, task.device)
    calls = {name: _calls(task, ledgers[name], tier) for name in waiting}
    if task.baseline not in calls and (lacking := _lacking(task, ledgers, tier, calls.values())):
        calls[task.baseline] = max(lacking)
    _draw(crew, task, number, slots=max(calls.values()))
    alive = [name for name in calls if _take_batch(crew, task, name, ledgers[name], calls[name])]
    return [name for name in waiting if name in alive]


def _lacking(
    task: "Task", ledgers: Mapping[str, Ledger], tier: Tier, asked: Iterable[int]
) -> set[int]:
    """Return how many calls others are asked for and no batch of the baseline has.

    Its empty ones bound what surrounds those of others, and it tells what the host does to them.
    """
    trusted = ledgers.get(task.baseline)
    if trusted is None or not _can(trusted, tier) or not trusted.batches:
        return set()
    return set(asked) - {batch.calls for batch in trusted.batches}


def note_restless(crew: Crew, ledgers: Mapping[str, Ledger]) -> None:
    """Note which workers keep a core busy although nobody asks them anything."""
    for name, cores in crew.cores_busy().items():
        if cores > _RESTLESS and name in ledgers:
            text = f"it kept {cores:.1f} cores busy while nobody asked it anything"
            ledgers[name].note(Sign(kind="restless", text=text))


def note_runaways(crew: Crew, ledgers: Mapping[str, Ledger]) -> None:
    """Note which workers ran on while they were to stand still and others were measured."""
    for name, seconds in crew.ran_unasked().items():
        if seconds > _STILL_SECONDS and name in ledgers:
            text = f"it ran for {show(seconds, 's')} while it was stopped and others were measured"
            ledgers[name].note(Sign(kind="restless", text=text))


def _can(ledger: Ledger, tier: Tier) -> bool:
    return ledger.alive and bool(ledger.visits.get(tier))


def _draw(crew: Crew, task: "Task", number: int, *, slots: int) -> None:
    crew.draw(
        Draw(
            workload=task.workload,
            first=task.first,
            slots=slots,
            expect=slots,
            seed=f"{task.seed}/batch{number}",
            hidden=True,
        )
    )


def _take_batch(crew: Crew, task: "Task", name: str, ledger: Ledger, calls: int) -> bool:
    """Time one batch and an empty one; return whether the solution is still alive."""
    tier = deciding_tier(task.protocol, task.device)
    rounds = _rounds(task, ledger, tier)
    go = Go(tier=tier, cache=task.protocol.cache, calls=calls, rounds=rounds)
    batch = _timed(crew, name, go, ledger)
    if batch is None:
        return False
    slots = range(task.first, task.first + calls)
    verified = crew.verify(name, slots, own=task.names.index(name))
    if not ledger.take(verified, calls, timed=True):
        return False
    empty = _timed(crew, name, replace(go, empty=True), ledger)
    if empty is None:
        return False
    ledger.batches.append(_batch(go, batch, empty, rounds=rounds))
    return True


def _batch(go: Go, taken: Taken, empty: Taken, *, rounds: int) -> Batch:
    return Batch(
        tier=go.tier,
        calls=go.calls,
        seconds=round(taken.seconds, 9),
        empty=round(empty.seconds, 9),
        busy=round(taken.busy, 9),
        empty_busy=round(empty.busy, 9),
        rounds=rounds,
        held=taken.held if isinstance(taken.held, Missing) else round(taken.held, 9),
    )


def _calls(task: "Task", ledger: Ledger, tier: Tier) -> int:
    """Return how many calls a batch makes: twice as many each time it disagreed, while it is short.

    On a CPU alone, where they are on slots that nobody has seen; a GPU makes more rounds. The
    first one has as many as a visit, so that who agrees at once costs a run nothing more.
    """
    calls = task.slots
    for batch in ledger.batches:
        if calls * _sample(ledger, tier) < _BATCH_SECONDS and batch.seconds < _LONG_SECONDS:
            calls = min(2 * calls, task.slots + task.spare)
    return calls


def _rounds(task: "Task", ledger: Ledger, tier: Tier) -> int:
    """Return how often to make the calls of a batch: twice as often each time it disagreed.

    Of a longer batch, what surrounds the calls and an empty batch does not know (the first launch
    of a graph of many kernels) is a smaller share.

    Several times on a GPU, where a call takes microseconds and slots rotate through its cache. A
    host's calls find their slots in its cache the second time; inputs that a call changes would
    not be those of the reference any more.
    """
    sample = _sample(ledger, tier)
    if task.device != "cuda" or task.mutable or not sample:
        return 1
    once = max(task.slots * sample, LAUNCH_SECONDS)
    return math.ceil(_BATCH_SECONDS / once) * 2 ** min(len(ledger.batches), _DOUBLINGS)


def _timed(crew: Crew, name: str, go: Go, ledger: Ledger) -> Taken | None:
    """Return what a batch took; nothing where there is none: the ledger knows why."""
    poised = crew.poise(name, go)
    if not isinstance(poised, Poised):
        ledger.failure = poised
        return None
    if poised.absent:
        # What has samples of calls or graphs can be timed from outside: only spans of kernels may
        # be out of reach, where there is no graph.
        if go.tier != "kernel" or "graph" in ledger.visits:
            why = f"has samples and will not be timed from outside: {poised.absent[:200]}"
            ledger.failure = ChildFailed("poise", why, "")
        return None
    taken = crew.batch(name, go)
    if isinstance(taken, ChildFailed | ReplyFailed):
        ledger.failure = taken
        return None
    return taken


def _agrees(task: "Task", tier: Tier, ledger: Ledger, everybodys: Sequence[Batch]) -> bool:
    """Whether some batch took no longer than its samples say."""
    sample = _sample(ledger, tier)
    if not sample:
        return True
    own: Sequence[Batch] = ledger.batches
    if task.device == "cpu":
        own = [_doubted(task, batch, own, everybodys) for batch in own]
    found = look_from_outside(
        own, everybodys, sample, device=task.device, stored=task.stored, cpu=False
    )
    return found.seconds <= _AGREES * found.said + _AGREES_SLACK * found.slack


def _doubted(
    task: "Task", batch: Batch, own: Sequence[Batch], everybodys: Sequence[Batch]
) -> Batch:
    """Return a batch of which less is put down to what surrounds it, if few others are as long."""
    if sum(each.calls == batch.calls for each in own) >= _OWN:
        return batch
    quickest = min(each.empty for each in everybodys if each.calls == batch.calls)
    allowed = batch.calls * allowed_to_store(task.device, task.stored)
    return replace(batch, empty=min(batch.empty, quickest + _ALONE_SHARE * allowed))


def _settled(task: "Task", tier: Tier, ledger: Ledger, everybodys: Sequence[Batch]) -> bool:
    """Whether who agrees did so beside empty batches enough.

    Where they take more than half of what the samples say, one quick batch beside slow empty ones
    makes a lie look true, and would end the search.
    """
    most, sample = max(batch.calls for batch in ledger.batches), _sample(ledger, tier)
    own = [batch.empty for batch in ledger.batches if batch.calls == most]
    if task.device != "cpu" or not sample or min(own) <= most * sample / 2:
        return True
    return len(own) >= _OWN or sum(batch.calls == most for batch in everybodys) >= _SURE


def _sample(ledger: Ledger, tier: Tier) -> Seconds:
    """Return what a call takes by its visits' word; 0 if none of them left a sample."""
    medians = [median(visit.samples) for visit in ledger.visits[tier] if visit.samples]
    return middle_of_visits(medians) if medians else 0.0
