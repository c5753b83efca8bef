"""One workload in one process set: prepare, prove right, then block after block.

In: a crew and a workload. Out: a ledger per solution. Every output of every timed call is compared
by the referee before the next visit begins; a solution that is wrong once, or fails, takes no
further part in this process set, and what the others did stays. Who is not asked stands still.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from roofmark.bench.ledger import Ledger, Reading
from roofmark.bench.messages import Bind, Draw, Prepare, Prepared, Time, Timed
from roofmark.bench.plan import Block, plan_blocks, tiers_on
from roofmark.bench.process import ChildFailed
from roofmark.bench.seam import Crew
from roofmark.bench.witness import note_restless, note_runaways, take_batches
from roofmark.evidence import Visit
from roofmark.study import Device, Protocol, Workload
from roofmark.units import Bytes


@dataclass(frozen=True)
class Task:
    """What to measure: slots 0 to len(names) - 1 are for warm-up, one for each worker.

    after: name -> the one that must be right before it is tried. mutable: calls may change inputs.
    stored: bytes of the outputs of one call. spare: slots behind the timed ones, for batches alone.
    """

    workload: Workload
    axes: dict[str, int]
    slots: int
    names: tuple[str, ...]
    baseline: str
    protocol: Protocol
    device: Device
    seed: str
    limit: float
    after: Mapping[str, str] = field(default_factory=dict[str, str])
    mutable: bool = False
    stored: Bytes = 0
    spare: int = 0

    @property
    def first(self) -> int:
        """The first timed slot."""
        return len(self.names)


@dataclass(frozen=True)
class Watch:
    """The orchestrator's eyes: its clock, and the machine's state around a visit of one process."""

    now: Callable[[], float]
    before: Callable[[int], None]
    after: Callable[[float], Reading | None]


def measure_workload(crew: Crew, task: Task, watch: Watch) -> dict[str, Ledger]:
    """Return each solution's ledger after all blocks, or after what the time limit allowed."""
    ledgers = prove_solutions(crew, task)
    note_restless(crew, ledgers)
    alive = [name for name in task.names if ledgers[name].alive]
    for block in plan_blocks(task.protocol, task.device, alive, seed=f"{task.seed}/order"):
        if time.monotonic() > task.limit or not ledgers[task.baseline].alive:
            break
        _run_block(crew, task, block, ledgers, watch)
    take_batches(crew, task, ledgers)
    note_runaways(crew, ledgers)
    return ledgers


def prove_solutions(crew: Crew, task: Task) -> dict[str, Ledger]:
    """Return ledgers after one verified call each and no timing: enough for negative controls."""
    ledgers = {name: Ledger() for name in task.names}
    for wave, names in enumerate(_waves(task, ledgers)):
        _first_calls(crew, task, names, ledgers, weights=wave == 0)
        failed = [name for name in names if not ledgers[name].alive]
        # All of them called at once and share memory: one may have made another look wrong.
        if len(names) > 1:
            _try_again(crew, task, failed, ledgers)
    return ledgers


def _first_calls(
    crew: Crew, task: Task, names: list[str], ledgers: dict[str, Ledger], *, weights: bool
) -> None:
    """Have these workers prepare, all at once, and verify their first calls.

    The timed slots are filled too: what prepares a tier may run over them, and must find values;
    whoever comes later finds them as they were, whatever the first ones wrote.
    """
    draw = Draw(
        workload=task.workload,
        first=0,
        slots=task.first + task.slots,
        expect=task.first,
        seed=f"{task.seed}/first-call",
        weights=weights,
    )
    crew.draw(draw)
    requests = {name: _prepare(task, name) for name in names}
    for name, reply in crew.prepare(requests).items():
        ledger = ledgers[name]
        if isinstance(reply, Prepared):
            ledger.proof, ledger.absent = reply.build, dict(reply.absent)
            ledger.memory = reply.memory
            own = requests[name].bind.warm if len(names) == 1 else -1
            verified = crew.verify(name, [requests[name].bind.warm], own=own)
            ledger.take(verified, 1, timed=False)
        else:
            ledger.failure = reply


def _try_again(crew: Crew, task: Task, failed: list[str], ledgers: dict[str, Ledger]) -> None:
    """Give solutions that were wrong or died beside others a first call, each on its own.

    One that died is started again if others changed what it may have read, in whichever slot.
    """
    died = [name for name in failed if ledgers[name].failure is not None]
    spoiled = bool(died) and crew.restore()
    for name in failed:
        if time.monotonic() > task.limit or (name in died and not spoiled):
            continue
        ledgers[name] = Ledger()
        if name in died:
            crew.revive(name)
        _first_calls(crew, task, [name], ledgers, weights=False)


def _waves(task: Task, ledgers: dict[str, Ledger]) -> Iterator[list[str]]:
    """Yield who is tried at once: first those that wait for nobody, then those that may follow."""
    waiting = list(task.names)
    while waiting:
        wave = [name for name in waiting if task.after.get(name) not in waiting]
        waiting = [name for name in waiting if name not in wave]
        for name in wave:
            ledgers[name].failure = _refusal(task, ledgers, name)
        if tried := [name for name in wave if ledgers[name].alive]:
            yield tried


def _refusal(task: Task, ledgers: dict[str, Ledger], name: str) -> ChildFailed | None:
    """Return why a solution is not tried. One time-out may be the machine's: it stays one here."""
    first = task.after.get(name)
    before = ledgers.get(first or "", Ledger())
    if first is None or (first in ledgers and before.alive):
        return None
    reason = f"not tried: it comes after {first}, which was not found right"
    return ChildFailed("order", reason, "", late=getattr(before.failure, "late", 0.0))


def _prepare(task: Task, name: str) -> Prepare:
    warm = task.names.index(name)
    bind = Bind(axes=task.axes, first=task.first, slots=task.slots + task.spare, warm=warm)
    return Prepare(bind=bind, calls=task.slots, tiers=tiers_on(task.device))


def _run_block(
    crew: Crew, task: Task, block: Block, ledgers: dict[str, Ledger], watch: Watch
) -> None:
    """Visit everybody once on one tier, over values that nobody has seen."""
    calls = task.slots if block.tier == "graph" else min(task.protocol.calls, task.slots)
    seed = f"{task.seed}/{block.tier}{block.index}"
    crew.draw(Draw(workload=task.workload, first=task.first, slots=calls, expect=calls, seed=seed))
    request = Time(tier=block.tier, cache=task.protocol.cache, calls=calls)
    for position, name in enumerate(block.order):
        ledger = ledgers[name]
        if not ledger.alive or block.tier in ledger.absent:
            continue
        watch.before(crew.pid(name))
        start = watch.now()
        answer = crew.time(name, request)
        if not isinstance(answer, tuple):
            ledger.failure = answer
            # Who comes next finds nothing that was left half done, and answers for none of it.
            crew.restore()
            continue
        timed, elapsed = answer
        reading = watch.after(watch.now())
        done = range(task.first, task.first + calls)
        own = task.names.index(name)
        if ledger.take(crew.verify(name, done, own=own), calls, timed=True):
            ledger.note_changes(timed.patched, timed.device)
            visit = _visit(block, position, start, timed, elapsed)
            ledger.enter(block.tier, visit, timed.clock, reading)
            ledger.memory = timed.memory


def _visit(block: Block, position: int, start: float, timed: Timed, elapsed: float) -> Visit:
    return Visit(
        block=block.index,
        position=position,
        start=round(start, 6),
        samples=tuple(round(sample, 12) for sample in timed.samples),
        calls=timed.calls,
        elapsed=round(elapsed, 6),
        discarded=timed.discarded,
    )
