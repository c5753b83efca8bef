"""A run of engines: a loaded study of legs becomes traces in an open bundle.

In: the same `Job` as a run of kernels. Out: traces, and under `serving/` what stands behind them.
Process set after process set every leg is started afresh, asked under every pending load, and
stopped; a leg that fails ends alone. The same agenda says what is left to do, and the same
function of the traces so far when to stop. Profiled passes come last, when nothing is timed.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from roofmark.bench.agenda import Agenda
from roofmark.bench.diary import Diary
from roofmark.bench.run import Job, open_watch
from roofmark.bench.scratch import open_scratch
from roofmark.bench.serving.command import CommandHandle
from roofmark.bench.serving.engine import EngineHandle
from roofmark.bench.serving.handle import Handle, LegFailed, Logits, launch
from roofmark.bench.serving.plan import draw_questions
from roofmark.bench.serving.process_set import ProcessSet
from roofmark.bench.serving.server import ServerHandle
from roofmark.bundle import BundleWriter
from roofmark.legs import Command, Engine, Leg, Server, Serving
from roofmark.records import Missing
from roofmark.served import LegProfile, LegProfiled
from roofmark.serving import load_of
from roofmark.study import Workload, twin_of


def run_serving_job(job: Job, writer: BundleWriter) -> str:
    """Measure until decided; return why it was given up, or nothing.

    Raises: BenchError, BundleError; finished traces stay.
    """
    with open_scratch() as scratch:
        return Runner(job, writer, scratch).run()


class Runner:
    """One run in progress."""

    def __init__(self, job: Job, writer: BundleWriter, scratch: Path) -> None:
        self.job, self.study, self.writer, self.scratch = job, job.study, writer, scratch
        self.serving = cast(Serving, job.study.serving)
        self.agenda = Agenda(
            job.study, job.run.device, job.run.confirmation, job.undecided, job.writer.traces()
        )
        self.diary = Diary(job, self.agenda)
        self.watch = open_watch(job)
        skipped = {each.solution for each in job.run.skipped}
        self.solutions = [s for s in job.study.solutions if s.name not in skipped]
        self.reference: Logits | None = None
        self.builds: dict[str, str] = {}

    def run(self) -> str:
        """Run process set after process set, then the profiled passes."""
        first = self.agenda.next_process()
        for process in range(first, first + self.study.protocol.processes[1]):
            pending = self.agenda.pending()
            if self._hopeless() or not pending or time.monotonic() > self.job.deadline:
                break
            with contextlib.closing(ProcessSet(self, process, pending)) as current:
                current.run()
        self._profile()
        return self._hopeless()

    def _hopeless(self) -> str:
        return self.job.hopeless(self.study, self.job.run.device, self.agenda.traces)

    def handle(self, name: str) -> Handle:
        """Return a leg that is not started yet, with its own sources in a folder of its own."""
        solution = self.study.solution(name)
        folder = self.scratch / name
        for path in solution.files:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.job.contents[path])
        folder.mkdir(parents=True, exist_ok=True)
        match solution.leg:
            case Server():
                return ServerHandle(solution, folder, self.study.protocol)
            case Command():
                return CommandHandle(solution, folder, self.study.protocol)
            case _:
                return EngineHandle(solution, folder, self.job.run.device, self.study.protocol)

    def leg(self, name: str) -> Leg:
        """Return what kind of engine a leg or its twin is."""
        return cast(Leg, self.study.solution(name).leg)

    def names(self, pending: list[Workload]) -> list[str]:
        """Everybody who is not given up on all pending loads, the baseline first, and its twin."""
        base = self.study.baseline
        names = [s.name for s in self.solutions if s.name != base]
        given_up = self.agenda.gave_up
        hopeful = [n for n in names if not all(given_up(w.id, n) for w in pending)]
        return [base, *hopeful, twin_of(base)]

    def _profile(self) -> None:
        """One pass of each leg on each load that generates, under a profiler, once per bundle.

        Time that is up does not cut it off: a treatment may rest on it, and its limits are short.
        Legs that fit side by side get ready side by side; the passes follow one another.
        """
        left = {s.name: lacking for s in self.solutions if (lacking := self._lacking(s.name))}
        for names in [list(left)] if self.serving.together else [[name] for name in left]:
            with contextlib.ExitStack() as stack:
                handles = {name: self._launched(name, stack) for name in names}
                for name, handle in handles.items():
                    self.diary.say(f"profiling {name}")
                    for each in self._tables(name, handle, left[name]):
                        self.writer.write_served(each)

    def _launched(self, name: str, stack: contextlib.ExitStack) -> Handle:
        """Return a leg that gets ready, if it can be profiled, and is stopped at the latest."""
        handle = self.handle(name)
        stack.callback(handle.stop)
        if isinstance(self.leg(name), Engine):
            launch(handle)
        return handle

    def _lacking(self, name: str) -> list[Workload]:
        """Return the loads that generate and of which a leg has no kernel table yet."""
        if not self.serving.profile:
            return []
        loads, has = self.agenda.workloads, self.writer.has
        return [
            w
            for w in loads
            if load_of(w).generate and not has(f"serving/tables/{w.id}/{name}.json")
        ]

    def _tables(
        self, name: str, handle: Handle, workloads: list[Workload]
    ) -> Iterator[LegProfiled]:
        """Yield what a profiler saw of one leg on each load, or why it saw nothing."""
        failed = ""
        try:
            if isinstance(self.leg(name), Engine):
                handle.start()
        except LegFailed as failure:
            failed = f"the leg did not start: {failure}"
        for workload in workloads:
            lost = Missing(reason=failed)
            outcome = lost if failed else self._table(name, handle, workload)
            yield LegProfiled(workload=workload.id, solution=name, outcome=outcome)
        handle.stop()

    def _table(self, name: str, handle: Handle, workload: Workload) -> LegProfile | Missing:
        load = load_of(workload)
        seed = f"{self.job.run.entropy}/{workload.id}/profile"
        questions = draw_questions(self.leg(name), load, 1, seed)
        try:
            return handle.profile(load, questions, self.serving.profile)
        except LegFailed as failure:
            return Missing(reason=f"the profiled pass failed: {failure}")
