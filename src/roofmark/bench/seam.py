"""The seam of the bench: what `measure.py` and `witness.py` need of a set of processes.

In: requests. Out: replies, or how a process failed. They speak to a crew and to nothing else, so
tests can put one in place that never starts a process.
"""

from collections.abc import Iterable
from typing import Protocol as Interface

from roofmark.bench.bystanders import Spent
from roofmark.bench.messages import (
    Draw,
    Go,
    Poised,
    Prepare,
    Prepared,
    Time,
    Timed,
    Verified,
)
from roofmark.bench.process import ChildFailed, ReplyFailed
from roofmark.bench.waiting import Taken
from roofmark.errors import Problem, StudyError
from roofmark.records import Missing
from roofmark.units import Seconds

Failure = ChildFailed | ReplyFailed


class Crew(Interface):
    """What `measure.py` needs of a crew."""

    def draw(self, request: Draw) -> None:
        """Have the referee fill slots. Raises: StudyError when the reference fails."""
        ...

    def verify(self, name: str, slots: Iterable[int], *, own: int = -1) -> Verified:
        """Have the referee compare what a worker put into these slots.

        own: its warm-up slot, if no other worker ran.
        """
        ...

    def prepare(self, requests: dict[str, Prepare]) -> dict[str, Prepared | Failure]:
        """Have workers prepare, all at once."""
        ...

    def time(self, name: str, request: Time) -> tuple[Timed, float] | Failure:
        """Have one worker time a visit; also the seconds that it took by our own clock."""
        ...

    def poise(self, name: str, request: Go) -> Poised | Failure:
        """Have one worker warm up for a batch."""
        ...

    def batch(self, name: str, request: Go) -> Taken | Failure:
        """Have one worker run a batch; return what it took."""
        ...

    def spent(self) -> Spent | Missing:
        """Return what this host has spent so far, on us and on others."""
        ...

    def cores_busy(self) -> dict[str, float]:
        """Return how many cores each worker keeps busy while nobody asks it anything."""
        ...

    def ran_unasked(self) -> dict[str, Seconds]:
        """Return the CPU time that each took while it was to stand still, since the last look."""
        ...

    def restore(self) -> bool:
        """Put all slots back; return whether inputs were changed that may not be."""
        ...

    def revive(self, name: str) -> None:
        """Start a worker again that is gone."""
        ...

    def pid(self, name: str) -> int:
        """Return a worker's process id, or 0 when it is gone."""
        ...


def reference_failed(entry: str, failure: Failure) -> StudyError:
    """Return the error of a study whose reference does not work."""
    log = failure.reply.log if isinstance(failure, ReplyFailed) else failure.log
    return StudyError(
        Problem(
            code="RM112",
            fact=f"the reference failed while the referee was asked to {failure.stage}: {failure}",
            where=f"{entry}\n{log}".rstrip(),
            meaning="Without a reference nothing can be checked, so nothing is measured.",
            mend="Run the reference by itself on inputs of these shapes and mend it.",
        )
    )
