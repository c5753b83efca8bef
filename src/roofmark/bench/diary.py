"""The diary of a run: each trace is on disk before the next begins, and whoever watches is told.

In: a job and its agenda; outcomes as they come. Out: traces in the shelf and in the agenda, a log
where one did not pass, progress. Runs of kernels and of serving engines keep theirs alike.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from roofmark.bench.agenda import Agenda
from roofmark.evidence import Outcome, Passed, Trace
from roofmark.options import Progress
from roofmark.study import Workload, twin_of

if TYPE_CHECKING:
    from roofmark.bench.run import Job

Role = Literal["baseline", "solution", "twin", "wrong"]


@dataclass
class Diary:
    """What a run writes down."""

    job: "Job"
    agenda: Agenda

    def append(
        self, workload: Workload, name: str, process: int, outcome: Outcome, *, said: str = ""
    ) -> None:
        """Keep one trace, and a log if it did not pass."""
        if not isinstance(outcome, Passed):
            self.job.writer.write_log(name, f"{workload.id}-p{process}", _log(outcome, said))
        trace = Trace(
            workload=workload.id,
            solution=name,
            role=self._role(name),
            process=process,
            outcome=outcome,
            station=self.job.station,
        )
        self.job.writer.append(trace)
        self.agenda.traces.append(trace)

    def say(
        self, text: str, *, done: int = 0, total: int = 0, traces: list[Trace] | None = None
    ) -> None:
        """Tell whoever watches how far the run is."""
        left = max(self.job.deadline - time.monotonic(), 0.0)
        self.job.say(Progress(done=done, total=total, text=text, seconds_left=left, traces=traces))

    def _role(self, name: str) -> Role:
        study = self.job.study
        if name == study.baseline:
            return "baseline"
        if name == twin_of(study.baseline):
            return "twin"
        return "wrong" if any(s.name == name for s in study.wrong) else "solution"


def _log(outcome: Outcome, said: str) -> bytes:
    """What the worker's failure said, then what the worker printed, each once."""
    own = getattr(outcome, "log", "")
    return "\n".join(part for part in (own, said if said != own else "") if part).encode()
