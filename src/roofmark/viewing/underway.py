"""Underway: a run that is not sealed, as far as it is: what is on disk, and what follows so far.

In: a folder that a run writes or wrote. Out: `Glance` for a list, `Underway` for a page. The writer
puts every file in place by one rename, so whatever is read is whole, also after a kill. Nothing is
locked: looking must not stop a run that is about to begin.
"""

import contextlib
import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from roofmark.analysis.judge import judge_whole, undecided_workloads
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import LOCK, MAX_BUNDLE_BYTES, Bundle
from roofmark.bundle_errors import damaged
from roofmark.bundle_files import list_files, read_inside, read_plain, walk_files
from roofmark.errors import RoofmarkError
from roofmark.evidence import Run, Trace
from roofmark.records import Missing, decode, digest
from roofmark.study import Study

_PROC = Path("/proc/locks")


@dataclass(frozen=True)
class Glance:
    """What a list shows of a run. started: UTC, seconds since 1970."""

    state: Literal["running", "interrupted", "damaged"]
    reason: str
    title: str
    started: float | Missing
    stamp: str


@dataclass(frozen=True)
class Underway:
    """A run as far as it is.

    bundle: what is on disk, unsealed. traces: every finished one. undecided: workloads that more
    processes could decide. verdict: what follows so far, or why nothing does.
    """

    bundle: Bundle
    traces: tuple[Trace, ...]
    running: bool
    undecided: frozenset[str]
    verdict: Verdict | Missing
    started: float | Missing

    def sets_of(self, workload: str) -> int:
        """Return how many whole sets of processes have measured a workload."""
        # A solution may be skipped on this device, or wait for another one (`after`), so a set is
        # whole when it has as many traces as any set of this run has.
        most = max(self._sizes.values(), default=0)
        return sum(n >= most for (name, _), n in self._sizes.items() if name == workload)

    @cached_property
    def _sizes(self) -> Counter[tuple[str, int]]:
        """How many traces each set of processes has left on each workload."""
        return Counter((t.workload, t.process) for t in self.traces if t.role != "wrong")

    def is_open(self, workload: str) -> bool:
        """Return whether a workload is measured further; none is decided before its fewest sets."""
        fewest, _ = self.bundle.study.protocol.processes
        return workload in self.undecided or self.sets_of(workload) < fewest


def glance(path: Path) -> Glance:
    """Return what a list shows of an unsealed run."""
    running = is_held(path)
    state = "running" if running else "interrupted"
    unknown = Missing(reason="its run.json cannot be read")
    try:
        study = decode(read_plain(path / "study.json"), Study, where=path.name)
        run = decode(read_plain(path / "run.json"), Run, where=path.name)
    except FileNotFoundError:
        return Glance(state, "it has just begun", "", unknown, stamp_of(path))
    except (RoofmarkError, OSError) as error:
        fact = error.problems[0].fact if isinstance(error, RoofmarkError) else str(error)
        return Glance("damaged", fact, "", unknown, "")
    started = run.sessions[-1].started if run.sessions else unknown
    title = study.title or study.definition.name
    reason = "" if running else "not sealed, and no process on this machine writes it"
    return Glance(state, reason, title, started, stamp_of(path))


def read_underway(path: Path) -> Underway:
    """Return a run as far as it is. Raises: BundleError for what no run could have written."""
    running, files, room = is_held(path), dict[str, bytes](), MAX_BUNDLE_BYTES
    for name in list_files(path):
        if name.endswith(".partial"):
            continue
        try:
            size = (path / name).lstat().st_size
            data = read_inside(path, name, expected=size) if size <= room else None
        except FileNotFoundError:
            continue
        except OSError as error:
            raise damaged([f"{name} cannot be read: {error.strerror}"], path.name) from error
        if data is not None:
            files[name] = data
            room -= size
    bundle = Bundle(path, files, "")
    traces = tuple(bundle.traces())
    run = bundle.run
    return Underway(
        bundle=bundle,
        traces=traces,
        running=running,
        undecided=_undecided(bundle, run, traces),
        verdict=_verdict(bundle) if traces else Missing(reason="no process has ended yet"),
        started=run.sessions[-1].started if run.sessions else Missing(reason="not noted"),
    )


def _undecided(bundle: Bundle, run: Run, traces: tuple[Trace, ...]) -> frozenset[str]:
    try:
        return frozenset(undecided_workloads(bundle.study, run.device, traces))
    except RoofmarkError:
        return frozenset(each.id for each in bundle.study.workloads)


def _verdict(bundle: Bundle) -> Verdict | Missing:
    try:
        return judge_whole(bundle).verdict
    except RoofmarkError as error:
        return Missing(reason=error.problems[0].fact)


def stamp_of(path: Path) -> str:
    """Return what differs whenever a file of the run does, or who writes it."""
    lines = [f"held {is_held(path)}"]
    with contextlib.suppress(RoofmarkError, OSError):
        for name, entry in walk_files(path):
            held = entry.stat(follow_symlinks=False)
            lines.append(f"{name} {held.st_size} {held.st_mtime_ns}")
    return digest("\n".join(sorted(lines)).encode("utf-8", "surrogateescape"))


def is_held(path: Path) -> bool:
    """Return whether a process of this machine holds the lock of a bundle or a loop.

    Read from the kernel's table: trying the lock would hold it for a moment, in which a run that
    begins would be refused.
    """
    try:
        status = os.lstat(path / LOCK)
        # Source: proc_locks(5): ID, FLOCK, ADVISORY, WRITE, PID, MAJOR:MINOR:INODE in hexadecimal
        # (the inode decimal). File systems of containers show another device there.
        table = _PROC.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    fields = (line.split() for line in table)
    return any(
        len(each) > 5 and each[1] == "FLOCK" and each[5].rpartition(":")[2] == str(status.st_ino)
        for each in fields
    )
