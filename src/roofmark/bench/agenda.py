"""The agenda: what a run has left to do, and where its traces go.

In: a job. Out: which workloads are pending, which solutions are given up, the next process set's
number; traces, each on disk before the next begins. Kernels and serving engines share it, so a run
of either stops, resumes and gives up by the same rules.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from roofmark.evidence import BuildFailed, Crashed, Outcome, Passed, TimedOut, Trace
from roofmark.options import Progress
from roofmark.study import Device, Study, Workload, twin_of

if TYPE_CHECKING:
    from roofmark.bench.run import Job

Undecided = Callable[[Study, Device, list[Trace]], set[str]]
Role = Literal["baseline", "solution", "twin", "wrong"]


class Agenda:
    """The traces so far and what follows from them."""

    def __init__(self, job: "Job") -> None:
        """Take up the traces that the bundle has already."""
        self._job = job
        self._study = job.study
        self.traces = job.writer.traces()
        confirming = job.run.confirmation
        self.workloads = [w for w in job.study.workloads if confirming or not w.held_out]

    def process_numbers(self) -> Iterator[int]:
        """Go on after the last process set that left a trace: a set is never filled up later."""
        used = [
            trace.process
            for trace in self.traces
            if trace.role != "wrong" and not isinstance(trace.outcome, BuildFailed)
        ]
        first = 1 + max(used, default=-1)
        yield from range(first, first + self._study.protocol.processes[1])

    def pending(self) -> list[Workload]:
        """Workloads measured too seldom or still undecided, that may be measured once more."""
        fewest, most = self._study.protocol.processes
        counts = dict.fromkeys((w.id for w in self.workloads), 0)
        for trace in self.traces:
            if trace.role == "baseline" and trace.workload in counts:
                counts[trace.workload] += 1
        wanted = {name for name, count in counts.items() if count < fewest}
        late = {name for name, count in counts.items() if fewest <= count < most}
        if late:
            wanted |= late & self._job.undecided(self._study, self._job.run.device, self.traces)
        lost = {w.id for w in self.workloads if self.gave_up(w.id, self._study.baseline)}
        return [w for w in self.workloads if w.id in wanted - lost]

    def gave_up(self, workload: str, name: str) -> bool:
        """Whether more tries are pointless: wrong or unbuildable once, dead or late twice."""
        failures = 0
        for trace in self.traces:
            if (trace.workload, trace.solution) == (workload, name):
                if isinstance(trace.outcome, Crashed | TimedOut):
                    failures += 1
                elif not isinstance(trace.outcome, Passed):
                    return True
        return failures >= 2

    def append(
        self, workload: Workload, name: str, process: int, outcome: Outcome, *, said: str = ""
    ) -> None:
        """Keep one trace, and a log if it did not pass."""
        if not isinstance(outcome, Passed):
            self._job.writer.write_log(name, f"{workload.id}-p{process}", _log(outcome, said))
        trace = Trace(
            workload=workload.id,
            solution=name,
            role=self._role(name),
            process=process,
            outcome=outcome,
        )
        self._job.writer.append(trace)
        self.traces.append(trace)

    def say(self, text: str, *, done: int = 0, total: int = 0) -> None:
        """Tell whoever watches how far the run is."""
        left = max(self._job.deadline - time.monotonic(), 0.0)
        self._job.say(Progress(done=done, total=total, text=text, seconds_left=left))

    def _role(self, name: str) -> Role:
        if name == self._study.baseline:
            return "baseline"
        if name == twin_of(self._study.baseline):
            return "twin"
        return "wrong" if any(s.name == name for s in self._study.wrong) else "solution"


def _log(outcome: Outcome, said: str) -> bytes:
    """What the worker's failure said, then what the worker printed, each once."""
    own = getattr(outcome, "log", "")
    return "\n".join(part for part in (own, said if said != own else "") if part).encode()
