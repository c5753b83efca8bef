"""A run: a loaded study becomes traces in an open bundle.

In: a study with its sources, a bundle writer, and (handed down, so that the bench knows no
statistics) a function that says which workloads are still undecided, and one that says why going
on is hopeless. Out: traces. Process set after process set, every undecided workload is measured by
fresh processes, until nothing is undecided, all is hopeless, the most process sets were used, or
time is up. Every finished trace is on disk before the next begins, so a run can be killed at any
moment and resumed.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from roofmark.bench.agenda import Agenda, Undecided
from roofmark.bench.build import BuildError
from roofmark.bench.clocks import open_clock_reader
from roofmark.bench.crew import ProcessCrew
from roofmark.bench.diary import Diary
from roofmark.bench.ledger import Ledger, Reading, failed_outcome
from roofmark.bench.measure import Task, Watch, measure_workload, prove_solutions
from roofmark.bench.orders import Order, Post
from roofmark.bench.reserve import Reserve
from roofmark.bench.scratch import open_scratch
from roofmark.bench.shelf import Shelf
from roofmark.bench.sizes import Sizes
from roofmark.bench.workshop import Workshop, skip_reason
from roofmark.errors import BenchError, Problem
from roofmark.evidence import (
    Build,
    BuildFailed,
    Crashed,
    Environment,
    Outcome,
    Passed,
    Run,
    Trace,
)
from roofmark.options import Progress
from roofmark.records import Missing
from roofmark.study import Device, Solution, Study, Workload, twin_of

Hopeless = Callable[[Study, Device, list[Trace]], str]

# Chosen: a solution that died on three workloads of one process set dies, it was not unlucky; to
# start it again for each of many more would cost the time of those that live.
_MOST_DEATHS = 3
# Chosen: no solution can have this name; one called "control" might.
_CONTROL = "~control"
# Its worker and the referee.
_CONTROL_PROCESSES = 2


def never(study: Study, device: Device, traces: list[Trace]) -> str:
    """A study that asks for a verdict gives nobody up."""
    return ""


@dataclass
class Job:
    """Everything that one invocation of the bench needs. station: id of this device in a fleet.

    hidden: folders that no candidate may look into. The bundle is one: it holds the entropy, with
    which anybody draws every value.
    """

    study: Study
    contents: Mapping[str, bytes]
    run: Run
    environment: Environment
    writer: Shelf
    undecided: Undecided
    say: Callable[[Progress], None]
    cache: Path
    hopeless: Hopeless = never
    station: str = ""
    hidden: tuple[Path, ...] = ()
    started: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float:
        """When time is up, on the monotonic clock."""
        return self.started + self.study.protocol.time_limit


def run_job(job: Job) -> str:
    """Measure until decided; return why it was given up, or nothing.

    Raises: StudyError, BenchError, BundleError; finished traces stay.
    """
    with open_scratch() as scratch, contextlib.closing(Runner(job, scratch)) as runner:
        return runner.run()


class Runner:
    """A run in progress, or one device's part in it."""

    def __init__(self, job: Job, scratch: Path) -> None:
        """Work in `scratch`."""
        self.job = job
        self.study = job.study
        self.device: Device = job.run.device
        self.agenda = Agenda(
            job.study, job.run.device, job.run.confirmation, job.undecided, job.writer.traces()
        )
        self.diary = Diary(job, self.agenda)
        self.sizes = Sizes(job.study, job.run.device, job.environment)
        self.shop = Workshop(job.study, job.contents, scratch=scratch, cache=job.cache)
        self.order = self._order(scratch)
        self.reserve = Reserve(self.order)
        self.watch = open_watch(job)
        skipped = {each.solution for each in job.run.skipped}
        self.solutions = [s for s in job.study.solutions if s.name not in skipped]
        self.controls = [s for s in job.study.wrong if not skip_reason(s, self.device)]

    def run(self) -> str:
        """Build, try the controls, then process set after process set."""
        self.prepare()
        self.try_controls()
        first = self.agenda.next_process()
        for process in range(first, first + self.study.protocol.processes[1]):
            pending = self.agenda.pending()
            if self._hopeless() or not pending or time.monotonic() > self.job.deadline:
                break
            self.run_process(process, pending)
            self.diary.say(f"process set {process + 1} is done", traces=self.agenda.traces)
        return self._hopeless()

    def close(self) -> None:
        """End the processes that wait for a set."""
        self.reserve.close()

    def _hopeless(self) -> str:
        return self.job.hopeless(self.study, self.device, self.agenda.traces)

    # --- building and negative controls ----------------------------------------------------------
    def prepare(self) -> None:
        """Build everything. Raises: BenchError RM330 when the baseline is not there."""
        for solution in (*self.solutions, *self.controls):
            self.diary.say(f"building {solution.name}")
            self._build(solution)
        if self.study.baseline not in self.shop.posts:
            raise _no_baseline(self.study, self.device, self.agenda.traces)

    def _build(self, solution: Solution) -> None:
        try:
            self.shop.prepare(solution, self.job.environment, self.job.writer)
        except BuildError as error:
            outcome = BuildFailed(reason=str(error), log=error.log)
            self.job.writer.write_log(solution.name, "build", error.log.encode())
            for workload in self.agenda.workloads:
                if not self.agenda.gave_up(workload.id, solution.name):
                    self.diary.append(workload, solution.name, 0, outcome)

    def try_controls(self) -> None:
        """One verified call of every wrong solution on a few workloads; each must be refused."""
        workloads = self.agenda.control_workloads(lambda w: self.sizes.layout(w).touched)
        tried = {(trace.solution, trace.workload) for trace in self.agenda.traces}
        names = [s.name for s in self.controls if s.name in self.shop.posts]
        tried |= {(name, workload) for workload, name in self.agenda.given_up}
        left = [(n, w) for n in names for w in workloads if (n, w.id) not in tried]
        if not left:
            return
        self._start_first_sets(others=_CONTROL_PROCESSES)
        # One process for all of them: they are the study's own, and none is timed.
        loaded = left[0][0]
        posts = [self._as_control(self.shop.posts[loaded])]
        arena = self.sizes.arena(workloads, len(posts))
        with contextlib.closing(self.reserve.call_untimed(posts, arena)) as crew:
            for name, workload in left:
                if time.monotonic() > self.job.deadline:
                    return
                self.diary.say(f"trying the wrong solution {name} on {workload.id}")
                if name != loaded or not crew.pid(_CONTROL):
                    loaded = name
                    crew.assign(self._as_control(self.shop.posts[name]))
                outcome = self._try(crew, name, workload)
                self.diary.append(workload, name, 0, outcome, said=crew.said.pop(_CONTROL, ""))

    def _start_first_sets(self, *, others: int) -> None:
        if pending := self.agenda.pending():
            posts = self._posts(pending)
            arena = self.sizes.arena(pending, len(posts))
            sets = self.agenda.sets_ahead()
            self.reserve.start_beside(posts, arena, sets=sets, others=others)

    def _try(self, crew: ProcessCrew, name: str, workload: Workload) -> Outcome:
        if not crew.pid(_CONTROL):
            return failed_outcome(crew.failed[_CONTROL], self._proof_of(name, crew, _CONTROL))
        task = self._task(workload, [_CONTROL], f"control-{name}")
        ledger = prove_solutions(crew, task)[_CONTROL]
        build = self._proof_of(name, crew, _CONTROL, ledger.proof)
        return ledger.outcome(self.study.protocol, build)

    @staticmethod
    def _as_control(post: Post) -> Post:
        return Post(_CONTROL, post.solution, post.folder, post.library, post.binary, control=True)

    # --- one process set -------------------------------------------------------------------------
    def run_process(self, process: int, pending: list[Workload]) -> None:
        """Measure these workloads with one set of fresh processes."""
        posts = self._posts(pending)
        self.diary.say(f"process set {process + 1}: starting {len(posts) + 1} processes")
        deaths: Counter[str] = Counter()
        arena, sets = self.sizes.arena(pending, len(posts)), self.agenda.sets_ahead()
        with contextlib.closing(self.reserve.call_up(posts, arena, sets=sets)) as crew:
            for number, workload in enumerate(pending):
                if time.monotonic() > self.job.deadline:
                    return
                text = f"process set {process + 1}: {workload.id}"
                self.diary.say(text, done=number, total=len(pending))
                trying = self._revive(crew, workload, deaths) if number else list(crew.posts)
                before = len(self.agenda.traces)
                self._measure(crew, workload, process)
                deaths.update(name for name in trying if not crew.pid(name))
                # Times are looked at after a whole set; a failure may end it at once.
                passed = all(isinstance(t.outcome, Passed) for t in self.agenda.traces[before:])
                if not passed and self._hopeless():
                    return

    def _revive(self, crew: ProcessCrew, workload: Workload, deaths: Counter[str]) -> list[str]:
        """Start those again that died on an earlier workload and may live on this one.

        Return the names of all that now try.
        """
        alive = [name for name in crew.posts if crew.pid(name)]
        back = [
            name
            for name in crew.posts
            if name not in alive
            and deaths[name] < _MOST_DEATHS
            and not self.agenda.gave_up(workload.id, name)
        ]
        crew.load(back)
        return [*alive, *back]

    def _posts(self, pending: list[Workload]) -> list[Post]:
        """Everybody who is not given up on all pending workloads; the baseline and its twin."""
        names = [s.name for s in self.solutions if s.name in self.shop.posts]
        hopeful = [n for n in names if not all(self.agenda.gave_up(w.id, n) for w in pending)]
        return [self.shop.posts[n] for n in (*hopeful, twin_of(self.study.baseline))]

    def _measure(self, crew: ProcessCrew, workload: Workload, process: int) -> None:
        """Measure one workload and keep its traces."""
        names = [name for name in crew.posts if not self.agenda.gave_up(workload.id, name)]
        # The baseline's trace comes last: where it is, the set is whole, wherever a run was killed.
        names.sort(key=lambda name: name == self.study.baseline)
        ready = [name for name in names if crew.pid(name)]
        ledgers: dict[str, Ledger] = {}
        if self.study.baseline in ready:
            task = self._task(workload, ready, f"p{process}")
            ledgers = measure_workload(crew, task, self.watch)
        for name in names:
            said = crew.said.pop(name, "")
            if name in ledgers:
                build = self._proof_of(name, crew, name, ledgers[name].proof)
                outcome = ledgers[name].outcome(self.study.protocol, build)
                self.diary.append(workload, name, process, outcome, said=said)
            elif name not in ready:
                self.diary.append(workload, name, process, self._absent(crew, name), said=said)

    def _absent(self, crew: ProcessCrew, name: str) -> Outcome:
        if name in crew.failed:
            return failed_outcome(crew.failed[name], self._proof_of(name, crew, name))
        reason = f"not tried again: it died {_MOST_DEATHS} times in this process set"
        return Crashed(stage="start", reason=reason, log="")

    def _proof_of(
        self, name: str, crew: ProcessCrew, worker: str, proof: Build | None = None
    ) -> str:
        """Keep the proof of the first call, or of loading; return its digest."""
        if proof is None and worker in crew.loaded:
            proof = crew.loaded[worker].build
        if proof is not None:
            self.shop.keep_proof(name, proof, self.job.writer)
        return self.shop.proofs.get(name, "")

    def _order(self, scratch: Path) -> Order:
        return Order(
            definition=self.study.definition,
            protocol=self.study.protocol,
            device=self.device,
            reference_folder=self.shop.reference_folder(),
            scratch=scratch,
            entropy=self.job.run.entropy,
            flush=self.sizes.flush,
            hidden=self.job.hidden,
        )

    def _task(self, workload: Workload, names: list[str], where: str) -> Task:
        axes = self.study.axes(workload)
        return Task(
            workload=workload,
            axes=axes,
            slots=self.sizes.slots(workload),
            spare=self.sizes.spare(workload),
            names=tuple(names),
            baseline=self.study.baseline,
            protocol=self.study.protocol,
            device=self.device,
            seed=f"{self.job.run.entropy}/{workload.id}/{workload.seed}/{where}",
            limit=self.job.deadline,
            after={
                each.name: each.after
                for each in self.study.solutions
                if each.name in names and isinstance(each.after, str)
            },
            mutable=bool(self.study.definition.mutable),
            stored=sum(each.size(axes) for each in self.study.definition.outputs.values()),
        )


def open_watch(job: Job) -> Watch:
    """Return the orchestrator's eyes for a job: its clock, and readings of its device."""
    gpu = job.environment.gpu
    uuid = None if isinstance(gpu, Missing) else gpu.uuid
    reader = open_clock_reader(job.run.device, uuid=uuid)

    def before(pid: int) -> None:
        if not isinstance(reader, Missing):
            reader.start(pid)

    def after(at: float) -> Reading | None:
        reading = reader if isinstance(reader, Missing) else reader.read(round(at, 6))
        return None if isinstance(reading, Missing) else reading

    return Watch(now=lambda: time.monotonic() - job.started, before=before, after=after)


def _no_baseline(study: Study, device: Device, traces: list[Trace]) -> BenchError:
    why = [
        trace.outcome.reason
        for trace in traces
        if trace.solution == study.baseline and isinstance(trace.outcome, BuildFailed)
    ]
    return BenchError(
        Problem(
            code="RM330",
            fact=f"the baseline {study.baseline!r} is not there on {device}: "
            + (why[0] if why else "it is skipped on this device"),
            where=f"study {study.definition.name}",
            meaning="Every speed-up is a ratio to the baseline; without it nothing is measured.",
            mend="Choose a baseline that runs on this device, or mend its build.",
        )
    )
