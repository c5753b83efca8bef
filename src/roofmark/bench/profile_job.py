"""What a profiled child is told and what it answers: records in files, not on a channel.

In and out: JSON beside each other in the child's folder. Under a profiler the child is the
profiler's child, not ours, and an application replay runs it several times, so it answers by
replacing a file.
"""

from pathlib import Path
from typing import Literal

from roofmark.evidence import Build
from roofmark.records import Record
from roofmark.study import CacheState, Definition, Solution, Workload
from roofmark.units import Bytes

Mode = Literal["watch", "count"]
"""Record one call with torch's profiler, or mark it for a profiler outside."""

JOB, ANSWER, TRACE = "job.json", "answer.json", "trace.json"
"""The files of a child's folder."""


class ProfileJob(Record):
    """One solution on one workload. folder: of its sources; library, binary: of a compiled one."""

    solution: Solution
    definition: Definition
    workload: Workload
    axes: dict[str, int]
    folder: str
    library: str
    binary: str
    flush: Bytes
    cache: CacheState


class Called(Record, tag="called"):
    """The marked call was made. build: proof of an interpreted solution."""

    build: Build | None


class CallFailed(Record, tag="call_failed"):
    """Something raised before or in the call."""

    reason: str
    log: str


class Answer(Record):
    """What a child answers."""

    said: Called | CallFailed


def paths_in(folder: Path) -> tuple[Path, Path, Path]:
    """Return where job, answer and trace lie in a child's folder."""
    return folder / JOB, folder / ANSWER, folder / TRACE
