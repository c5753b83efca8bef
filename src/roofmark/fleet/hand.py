"""A hand: what works at one station. It holds the device and answers requests one by one.

In: requests. Out: replies. It builds, checks and measures as any run does, and keeps nothing: what
it brings in travels in its replies. Which process it lives in (a child of the run, a Ray actor) it
does not know.
"""

import contextlib
import os
import time
from pathlib import Path

from msgspec.structs import replace

from roofmark import __version__
from roofmark.bench.ceilings import collect_ceilings
from roofmark.bench.environment import collect_environment
from roofmark.bench.run import Job, Runner
from roofmark.bench.scratch import open_scratch
from roofmark.bench.store import build_cache
from roofmark.bench.workshop import skip_reasons
from roofmark.errors import RoofmarkError
from roofmark.evidence import Build, Ceiling, Environment, Gpu, Trace
from roofmark.fleet.claim import Claim, claim, claim_slot
from roofmark.fleet.words import (
    Describe,
    Described,
    Harvest,
    Log,
    Measure,
    Prepare,
    Reply,
    Request,
    TryControls,
    failed,
)
from roofmark.options import Progress
from roofmark.records import digest
from roofmark.stations import Station, station_id
from roofmark.study import Device

# The study's folder is on another machine; the run itself says which commit it is at.
_NOWHERE = Path("/")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# Chosen: longer than measuring the ceilings of one CPU slot takes, times the slots of a large host.
_CEILINGS_PATIENCE = 600.0


class Hand:
    """Works at one station."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._claim: Claim | None = None
        self._open = contextlib.ExitStack()
        self._basket = Basket()
        self._runner: Runner | None = None

    def answer(self, request: Request) -> Reply:
        """Do what is asked, and say how it went."""
        try:
            if isinstance(request, Describe):
                return self._describe(request)
            if isinstance(request, Prepare):
                return self._prepare(request)
            return self._work(request)
        except RoofmarkError as error:
            return failed(error)

    def close(self) -> None:
        """Let go of the device and of the scratch folder."""
        self._open.close()
        if self._claim:
            self._claim.release()

    def _describe(self, request: Describe) -> Described:
        self.close()
        cores: tuple[int, ...] = ()
        refused = ""
        try:
            if request.device == "cpu":
                self._claim, cores = claim_slot(request.slots)
                os.sched_setaffinity(0, cores)
            environment = collect_environment(request.device, _NOWHERE, ())
            if isinstance(environment.gpu, Gpu):
                self._claim = claim(f"gpu/{environment.gpu.uuid}")
            elif request.device == "cuda":
                refused = environment.gpu.reason
        except (BlockingIOError, ValueError) as error:
            environment = collect_environment(request.device, _NOWHERE, ())
            refused = f"{getattr(error, 'strerror', None) or error}"
        if not refused:
            environment = replace(environment, ceilings=_ceilings(request.device))
        station = Station(
            id=station_id(_host(), _device(environment, cores)),
            environment=environment,
            cores=cores,
            skipped=skip_reasons(request.study, request.device),
            refused=refused,
        )
        return Described(station=station, roofmark=__version__, pid=os.getpid())

    def _prepare(self, request: Prepare) -> Harvest:
        self._open.close()
        scratch = self._open.enter_context(open_scratch())
        job = Job(
            study=request.study,
            contents=request.contents,
            run=request.run,
            environment=request.station.environment,
            writer=self._basket,
            undecided=_nothing,
            say=_silent,
            cache=build_cache(),
            station=request.station.id,
            hidden=tuple(map(Path, request.hidden)),
        )
        self._runner = self._open.enter_context(contextlib.closing(Runner(job, scratch)))
        self._runner.prepare()
        return self._basket.empty()

    def _work(self, request: Measure | TryControls) -> Harvest:
        runner = self._runner
        assert runner is not None, "a station is asked to prepare before it is asked to work"
        self._basket.empty()
        # The run's clock, as far as one machine can tell it to another.
        runner.job.started = time.monotonic() - request.elapsed
        runner.agenda.traces.clear()
        runner.agenda.given_up = frozenset(request.given_up)
        if isinstance(request, TryControls):
            runner.try_controls()
        else:
            wanted = [w for w in runner.study.workloads if w.id in request.workloads]
            runner.run_process(request.process, wanted)
        return self._basket.empty()


class Basket:
    """A shelf that is carried away."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._builds: dict[str, Build] = {}
        self._logs: list[Log] = []
        self._traces: list[Trace] = []

    def traces(self) -> list[Trace]:
        """Return nothing: what was measured elsewhere is the run's business."""
        return []

    def append(self, trace: Trace) -> None:
        """Keep a finished trace."""
        self._traces.append(trace)

    def write_build(self, build: Build) -> str:
        """Keep a proof of build; return its digest."""
        name = digest(build)
        self._builds[name] = build
        return name

    def write_log(self, solution: str, name: str, text: bytes) -> None:
        """Keep what a tool or a worker said."""
        if text:
            self._logs.append(Log(solution=solution, name=name, text=text))

    def empty(self) -> Harvest:
        """Return everything, and hold nothing again."""
        found = Harvest(
            builds=tuple(self._builds.values()),
            logs=tuple(self._logs),
            traces=tuple(self._traces),
        )
        self.__init__()
        return found


def _ceilings(device: Device) -> tuple[Ceiling, ...]:
    """Measure them. CPU slots of one host share its memory, so they take turns."""
    turn = claim("ceilings", patience=_CEILINGS_PATIENCE) if device == "cpu" else None
    try:
        return collect_ceilings(device).ceilings
    finally:
        if turn:
            turn.release()


def _host() -> str:
    """Return what all processes under this kernel share, and nobody else."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return os.uname().nodename


def _device(environment: Environment, cores: tuple[int, ...]) -> str:
    return environment.gpu.uuid if isinstance(environment.gpu, Gpu) else f"cores {cores}"


def _nothing(*_: object) -> set[str]:
    return set()


def _silent(_: Progress) -> None:
    """Say nothing: the run tells how far its stations are."""
