"""One process set of engines: every leg started afresh, asked under every load, stopped.

In: the runner, a number, the pending loads. Out: traces, requests and stays in the bundle. What a
leg fails at ends that leg under that load; a leg that died is started again for the next load, a
few times. The baseline's trace is written last: where it is, the set is whole for that load.
"""

import random
import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from roofmark.bench.serving.handle import Handle, LegFailed, launch
from roofmark.bench.serving.ledger import LegLedger, Staying
from roofmark.bench.serving.likeness import compare_logits
from roofmark.bench.serving.plan import Step, draw_ids, draw_questions, plan_steps
from roofmark.bench.serving.watch import Watchdog
from roofmark.evidence import Crashed, Incorrect
from roofmark.legs import Command, Engine, Smoke, Treatment
from roofmark.records import Missing
from roofmark.served import Likeness, Served
from roofmark.serving import load_of
from roofmark.study import Workload

if TYPE_CHECKING:
    from roofmark.bench.serving.run import Runner

# Chosen: a leg that died three times in one process set dies, it was not unlucky.
_MOST_DEATHS = 3
# Chosen: enough of a prompt for every layer to attend to something.
_LIKENESS_PROMPT = 16
# Chosen: an engine's second step has compiled and captured; a server's warm-up is never cut short.
_WARM_TOKENS = 16


class ProcessSet:
    """The legs of one set, and what became of each under each load."""

    def __init__(self, run: "Runner", process: int, pending: list[Workload]) -> None:
        """Take what to visit; nothing is started yet."""
        self._run, self._process, self._pending = run, process, pending
        self._names = run.names(pending)
        self._handles: dict[str, Handle] = {name: run.handle(name) for name in self._names}
        self._up: set[str] = set()
        self._stays: dict[str, Staying] = {}
        self._ledgers = {(w.id, n): LegLedger() for w in pending for n in self._names}
        self._warmed: set[tuple[str, str]] = set()
        self._deaths: Counter[str] = Counter()
        self._written: set[str] = set()
        gpu = run.job.environment.gpu
        self._dog = Watchdog(
            self._handles,
            every=run.serving.watch,
            now=run.watch.now,
            uuid=None if isinstance(gpu, Missing) else gpu.uuid,
        )

    def run(self) -> None:
        """Visit everybody; keep each load's traces as soon as its last visit is over."""
        run = self._run
        steps = plan_steps(
            self._pending,
            self._names,
            blocks=run.study.protocol.blocks,
            together=run.serving.together,
            seed=f"{run.job.run.entropy}/p{self._process}/order",
        )
        if run.serving.together:
            self._start_all()
        for number, step in enumerate(steps):
            if time.monotonic() > run.job.deadline:
                break
            text = f"process set {self._process + 1}: {step.name} on {step.workload.id}"
            run.diary.say(text, done=number, total=len(steps))
            self._step(step)
            rest = steps[number + 1 :]
            if all(each.name != step.name for each in rest):
                self._stop(step.name)
            if all(each.workload.id != step.workload.id for each in rest):
                self._write(step.workload)
        for workload in self._pending:
            self._write(workload)

    def close(self) -> None:
        """Stop every leg, whatever happened, and keep what was seen of it."""
        for name in self._names:
            self._stop(name)
        self._dog.close()
        for name, stay in self._stays.items():
            record = stay.record(name, self._process, self._dog.take(name))
            self._run.writer.write_served(record)

    # --- one leg ---------------------------------------------------------------------------------
    def _start_all(self) -> None:
        """Launch every leg, then wait for each: to import and to make an engine is slow."""
        self._run.diary.say(f"process set {self._process + 1}: starting {len(self._names)} legs")
        for name in self._names:
            self._begin(name)
            launch(self._handles[name])
        for name in self._names:
            self._start(name, self._pending)

    def _begin(self, name: str) -> Staying:
        """Note that a leg is about to be there; whatever happens, it is stopped."""
        if name not in self._up:
            self._up.add(name)
            begun = Staying(started=self._run.watch.now(), fresh=self._handles[name].fresh)
            before = self._stays.get(name)
            self._stays[name] = begun
            begun.endings = before.endings if before else []
        return self._stays[name]

    def _start(self, name: str, workloads: Iterable[Workload]) -> bool:
        """Start a leg; if that fails it has failed under these loads. Return whether it serves."""
        stay, now = self._begin(name), self._run.watch.now
        try:
            build = self._handles[name].start()
            self._run.builds[name] = self._run.writer.write_build(build)
            stay.ready = round(now() - stay.started, 3)
            self._examine(name, stay)
        except LegFailed as failure:
            self._fail(name, workloads, failure)
            self._stop(name)
            return False
        return True

    def _examine(self, name: str, stay: Staying) -> None:
        """Look at what must be visible, ask the smoke prompt, compare with the baseline."""
        run, handle = self._run, self._handles[name]
        if not isinstance(run.leg(name), Command):
            self._observe(name, stay)
        if isinstance(smoke := run.serving.smoke, Smoke):
            stay.smoke = handle.ask(smoke)
            if not isinstance(stay.smoke, Missing) and not stay.smoke.passed:
                reason = f"the smoke prompt was answered {str(stay.smoke.answer)[:200]!r}"
                raise LegFailed(Incorrect(build="", checks=(), reason=reason))
        stay.likeness = self._likeness(name)

    def _observe(self, name: str, stay: Staying) -> None:
        """Read the declared variables where the leg's processes hold them."""
        treatment = self._run.study.solution(name).treatment
        declared = treatment.environment if isinstance(treatment, Treatment) else {}
        names = {**self._run.leg(name).environment, **declared}
        found = self._handles[name].observed(names)
        stay.environment, stay.processes = found.environment, found.processes

    def _likeness(self, name: str) -> Likeness | Missing:
        """Compare an engine's greedy output and logits with the baseline's first ones."""
        run, leg = self._run, self._run.leg(name)
        if not run.serving.compare or not isinstance(leg, Engine):
            return Missing(reason="logits are compared between engines in workers of ours alone")
        chance = random.Random(f"{run.job.run.entropy}/likeness")
        prompt = draw_ids(chance, leg, _LIKENESS_PROMPT)
        free = self._handles[name].logits(prompt, (), run.serving.compare)
        if isinstance(free, Missing):
            return free
        if name == run.study.baseline and run.reference is None:
            run.reference = free
        if run.reference is None:
            return Missing(reason="the baseline had not run yet")
        forced = self._handles[name].logits(prompt, run.reference.tokens, len(run.reference.tokens))
        if isinstance(forced, Missing):
            return forced
        return compare_logits(run.reference, forced, free)

    def _step(self, step: Step) -> None:
        ledger, name = self._ledgers[step.workload.id, step.name], step.name
        if ledger.failure is not None or self._run.agenda.gave_up(step.workload.id, name):
            return
        handle = self._handles[name]
        if (name not in self._up or not handle.alive) and not self._revive(name, step.workload):
            return
        try:
            self._warm(step)
            self._visit(step, ledger)
        except LegFailed as failure:
            self._fail(name, (step.workload,), failure)
        if isinstance(self._run.leg(name), Command):
            self._observe(name, self._stays[name])

    def _revive(self, name: str, workload: Workload) -> bool:
        """Start a leg that is not up: for its first visit, or again after it died."""
        if self._deaths[name] >= _MOST_DEATHS:
            reason = f"not tried again: it died {_MOST_DEATHS} times in this process set"
            self._fail(name, (workload,), LegFailed(Crashed(stage="start", reason=reason, log="")))
            return False
        self._stop(name)
        self._warmed -= {(w.id, name) for w in self._pending}
        return self._start(name, (workload,))

    def _warm(self, step: Step) -> None:
        """Ask a little, once for each load in each life of a leg, without keeping the times."""
        key = (step.workload.id, step.name)
        run, leg, load = self._run, self._run.leg(step.name), load_of(step.workload)
        if key in self._warmed or isinstance(leg, Command):
            return
        self._warmed.add(key)
        if isinstance(leg, Engine):
            load = replace(load, generate=min(load.generate, _WARM_TOKENS))
        count = run.serving.warm_up * load.concurrency
        seed = f"{run.job.run.entropy}/{step.workload.id}/p{self._process}/warm"
        if count:
            self._handles[step.name].visit(load, draw_questions(leg, load, count, seed))

    def _visit(self, step: Step, ledger: LegLedger) -> None:
        run, handle, load = self._run, self._handles[step.name], load_of(step.workload)
        count = run.study.protocol.calls * load.concurrency
        seed = f"{self._seed(step.workload)}/b{step.block}"
        questions = draw_questions(run.leg(step.name), load, count, seed)
        run.watch.before(next(iter(handle.pids()), 0))
        start, begun = run.watch.now(), time.monotonic()
        seen = handle.visit(load, questions)
        ledger.enter(step, seen, start=start, elapsed=time.monotonic() - begun)
        if (reading := run.watch.after(run.watch.now())) is not None:
            ledger.readings.append(reading)

    def _fail(self, name: str, workloads: Iterable[Workload], failure: LegFailed) -> None:
        for workload in workloads:
            self._ledgers[workload.id, name].failure = failure.outcome
        if not self._handles[name].alive:
            self._deaths[name] += 1

    def _stop(self, name: str) -> None:
        if name in self._up:
            self._up.remove(name)
            self._stays[name].endings.append(self._handles[name].stop())

    # --- keeping ---------------------------------------------------------------------------------
    def _seed(self, workload: Workload) -> str:
        return f"{self._run.job.run.entropy}/{workload.id}/p{self._process}"

    def _write(self, workload: Workload) -> None:
        """Keep a load's traces, once the baseline was tried; a leg that was not tried has none."""
        base = self._run.study.baseline
        known = [n for n in self._names if self._known(self._ledgers[workload.id, n])]
        if workload.id in self._written or base not in known:
            return
        self._written.add(workload.id)
        for name in sorted(known, key=lambda name: name == base):
            ledger = self._ledgers[workload.id, name]
            if ledger.served:
                served = Served(
                    workload=workload.id,
                    solution=name,
                    process=self._process,
                    schedule=self._seed(workload) if load_of(workload).rate else "",
                    visits=tuple(ledger.served),
                )
                self._run.writer.write_served(served)
            build = self._run.builds.get(name, "")
            outcome = ledger.outcome(self._run.study.protocol, build)
            self._run.diary.append(workload, name, self._process, outcome)

    @staticmethod
    def _known(ledger: LegLedger) -> bool:
        return bool(ledger.visits) or ledger.failure is not None
