"""The schedule: who measures what next, and what becomes of what was lost.

In: a job, an executor with described stations. Out: traces in the bundle. Rounds of process sets
(rounds.py) are handed to whoever is free. A set whose station is lost leaves nothing behind and is
measured again under a number of its own, so its values are fresh ones. Single-threaded; all it
knows of the world comes through the executor.
"""

import time
from collections import deque

from msgspec.structs import replace

from roofmark.bench.agenda import Agenda
from roofmark.bench.process import START_SECONDS
from roofmark.bench.run import Job
from roofmark.bundle import BundleWriter
from roofmark.codes import problem
from roofmark.errors import BenchError, RoofmarkError
from roofmark.evidence import BuildFailed
from roofmark.fleet.keep import keep, recover
from roofmark.fleet.muster import Muster
from roofmark.fleet.rounds import plan_round
from roofmark.fleet.words import (
    Described,
    Failed,
    Harvest,
    Lost,
    Measure,
    Prepare,
    Reply,
    TryControls,
    Unit,
)
from roofmark.options import Progress
from roofmark.stations import Station
from roofmark.units import Seconds

# Chosen: often enough for a progress line, far too seldom to disturb anybody.
_LOOK: Seconds = 2.0
# Chosen: pre-emption comes in waves, and every wave is followed by a set that ends; what loses
# four stations in a row, and as many more as there are, is the study's doing or the cluster's.
_MOST_LOSSES = 4


class Schedule:
    """A run over a fleet, in progress."""

    def __init__(self, job: Job, writer: BundleWriter, muster: Muster) -> None:
        """Go on with whatever the bundle holds."""
        recover(writer)
        self.job, self.writer, self.muster = job, writer, muster
        self.executor = muster.executor
        self.agenda = Agenda(
            job.study, job.run.device, job.run.confirmation, job.undecided, writer.traces()
        )
        self.ready: dict[str, Station] = {}
        self.prepared: dict[str, Harvest] = {}
        self.busy: dict[str, Unit] = {}
        self.queue: deque[Unit] = deque()
        self.unbuilt: frozenset[str] | None = None
        self.issued = self.agenda.next_process()
        self.losses = 0
        self.refusal: Failed | None = None

    def run(self) -> str:
        """Measure until decided; return why it was given up, or nothing.

        Raises: StudyError, BenchError, BundleError; whole sets stay.
        """
        for seat, station in self.muster.stations.items():
            self._welcome(seat, station)
        if self.job.study.wrong:
            self.queue.append(TryControls(given_up=self._tried()))
        while self._goes_on():
            self._hand_out()
            for seat, reply in self.executor.wait(_LOOK):
                self._take(seat, reply)
            self._choose_built()
            self._tell()
        return self._hopeless()

    def _hopeless(self) -> str:
        return self.job.hopeless(self.job.study, self.job.run.device, self.agenda.traces)

    # --- what to do next -------------------------------------------------------------------------
    def _goes_on(self) -> bool:
        late = time.monotonic() - self.job.deadline
        if late > 0:
            self.queue.clear()
        elif self._hopeless():
            # The rest of the round is not begun; who measures brings a set that still counts.
            self.queue = deque(unit for unit in self.queue if not isinstance(unit, Measure))
        elif self.unbuilt is not None and not self._measuring():
            units = plan_round(self.agenda, max(1, len(self.ready)), self.issued)
            self.issued += len(units)
            self.queue.extend(units)
        if late > self._grace():
            return False
        if not (self.ready or self.muster.stations or self.muster.waiting):
            raise self._nobody()
        return bool(self.queue or self.busy) or self.unbuilt is None

    def _measuring(self) -> bool:
        return any(isinstance(unit, Measure) for unit in (*self.queue, *self.busy.values()))

    def _grace(self) -> Seconds:
        """How long after its end a run waits: every unit ends by itself, unless it is cut off."""
        plan = self.job.study.protocol
        return START_SECONDS + plan.build_limit + 10 * plan.call_limit

    def _hand_out(self) -> None:
        for seat in self.ready:
            if self.queue and seat not in self.busy:
                unit = self.queue.popleft()
                elapsed = round(time.monotonic() - self.job.started, 6)
                self.busy[seat] = unit
                self.executor.send(seat, replace(unit, elapsed=elapsed))

    def _tried(self) -> tuple[tuple[str, str], ...]:
        wrong = (trace for trace in self.agenda.traces if trace.role == "wrong")
        return tuple(sorted({(trace.workload, trace.solution) for trace in wrong}))

    # --- what comes back -------------------------------------------------------------------------
    def _take(self, seat: str, reply: Reply | Lost) -> None:
        if isinstance(reply, Described):
            station = self.muster.admit(seat, reply)
            if not station.refused:
                self._welcome(seat, station)
            elif self.muster.is_news(station):
                self.writer.write_station(station)
        elif isinstance(reply, Lost):
            self._lose(seat, reply.reason)
        elif isinstance(reply, Failed):
            self._fail(seat, reply)
        elif seat in self.busy:
            self.busy.pop(seat)
            self.losses = 0
            self._keep(reply)
        else:
            self.prepared[seat] = reply

    def _fail(self, seat: str, reply: Failed) -> None:
        """A wrong question is wrong everywhere; a station that cannot build takes no part."""
        if reply.study:
            raise reply.error()
        reason = reply.problems[0].fact
        if seat in self.busy or seat in self.muster.waiting:
            self._lose(seat, reason)
        else:
            self.refusal = reply
            self._refuse(seat, reason)

    def _keep(self, harvest: Harvest) -> None:
        keep(self.writer, harvest)
        self.agenda.traces.extend(harvest.traces)

    def _lose(self, seat: str, reason: str) -> None:
        self.losses += 1
        station = self.muster.lose(seat, reason)
        if station is not None:
            self.writer.write_station(station)
        self.ready.pop(seat, None)
        self.prepared.pop(seat, None)
        unit = self.busy.pop(seat, None)
        if isinstance(unit, Measure):
            unit = replace(
                unit, process=self.issued, given_up=tuple(sorted(self.agenda.hopeless()))
            )
            self.issued += 1
        if unit is not None:
            self.queue.appendleft(unit)
        if self.losses > _MOST_LOSSES + len(self.muster.stations):
            raise self._too_many(reason)
        self.muster.reopen(seat)

    # --- who takes part --------------------------------------------------------------------------
    def _welcome(self, seat: str, station: Station) -> None:
        """Have a station build what is measured."""
        self.writer.write_station(station)
        request = Prepare(
            study=self.job.study,
            contents=dict(self.job.contents),
            run=self.job.run,
            station=station,
            hidden=tuple(map(str, self.job.hidden)),
        )
        self.executor.send(seat, request)

    def _choose_built(self) -> None:
        """Admit stations that built what the others built; at first, when all have tried."""
        if self.unbuilt is None:
            if len(self.prepared) < len(self.muster.stations) or not self.prepared:
                return
            self.unbuilt = min(map(_unbuilt, self.prepared.values()), key=len)
        while self.prepared:
            seat, harvest = self.prepared.popitem()
            odd = _unbuilt(harvest) ^ self.unbuilt
            if odd:
                self._refuse(seat, f"it built other solutions than the rest: {', '.join(odd)}")
                continue
            known = {(t.workload, t.solution) for t in self.agenda.traces}
            new = tuple(t for t in harvest.traces if (t.workload, t.solution) not in known)
            self._keep(replace(harvest, traces=new))
            self.ready[seat] = self.muster.stations[seat]

    def _refuse(self, seat: str, reason: str) -> None:
        self.writer.write_station(self.muster.refuse(seat, reason))

    # --- telling ---------------------------------------------------------------------------------
    def _tell(self) -> None:
        counts = self.agenda.counts().values()
        text = (
            f"{len(self.ready)} of {len(self.muster.stations)} stations ready, "
            f"{len(self.busy)} measure; every workload has {min(counts, default=0)} process sets"
        )
        left = max(self.job.deadline - time.monotonic(), 0.0)
        traces = self.agenda.traces
        self.job.say(Progress(done=0, total=0, text=text, seconds_left=left, traces=traces))

    def _nobody(self) -> RoofmarkError:
        if self.refusal is not None:
            return self.refusal.error()
        return BenchError(
            problem(
                "RM342",
                "no station is left",
                str(self.writer.path),
                f"Go on with: roofmark run --resume {self.writer.path}",
            )
        )

    def _too_many(self, reason: str) -> BenchError:
        return BenchError(
            problem(
                "RM342",
                f"{self.losses} stations were lost one after the other; the last: {reason}",
                str(self.writer.path),
                f"Mend that, then go on with: roofmark run --resume {self.writer.path}",
            )
        )


def _unbuilt(harvest: Harvest) -> frozenset[str]:
    """Return the solutions that a station could not build."""
    return frozenset(t.solution for t in harvest.traces if isinstance(t.outcome, BuildFailed))
