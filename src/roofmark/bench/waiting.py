"""How long threads of a worker ran, and how long they waited for a core, seen from outside.

In: process ids, looked at before a batch and after it. Out: CPU time, and the time for which its
threads could have run and did not, because something else had the core (proc_pid_schedstat: the
kernel's own count, to the nanosecond, which nothing in the process can write).

Both are told only where nothing escaped: the CPU time of a process that ended is known in ticks of
10 ms, longer than a batch, and the waits of a thread that ended are not known at all.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.births import births
from roofmark.bench.pausing import cpu_time
from roofmark.records import Missing
from roofmark.units import Seconds

# Chosen: two counts of the same thread are read microseconds apart; what ends in less than this
# did not hold up a batch of milliseconds.
_UNSEEN_SECONDS = 2e-4


@dataclass(frozen=True)
class Thread:
    """Seconds that a thread has run, and waited for a core while it could have run."""

    ran: Seconds
    waited: Seconds


@dataclass(frozen=True)
class Look:
    """What is known of some processes at one moment.

    threads: by process and thread. processes: CPU time, ended threads included. forks: of the whole
    machine; 0 if not told.
    """

    threads: dict[tuple[int, int], Thread]
    processes: dict[int, Seconds]
    forks: int


@dataclass(frozen=True)
class Taken:
    """What a batch took: seconds by our own clock; CPU time, and for how long its threads waited.

    busy: 0 where it is not known, and on a GPU, where a host only waits.
    """

    seconds: Seconds
    busy: Seconds
    held: Seconds | Missing


class BatchWatch:
    """The clock around one batch, and what its processes did meanwhile."""

    def __init__(
        self, own: Callable[[], Iterable[int]], referee: Callable[[], Iterable[int]]
    ) -> None:
        """Look at the processes that the batch waits for, then start the clock.

        own: the worker's. referee: of who hands out inputs and copies outputs away.
        """
        self._who = own, referee
        self._before, self._ours = [look_at(each()) for each in self._who], waited_here()
        self._start = time.perf_counter()

    def stop(self) -> None:
        """Stop the clock."""
        self._seconds = time.perf_counter() - self._start
        self._also = waited_here()

    def taken(self, *, cpu: bool) -> Taken:
        """Look again, at processes that stand still. cpu: their CPU time tells something."""
        after = [look_at(each()) for each in self._who]
        busy = busy_between(self._before[0], after[0]) if cpu else 0.0
        return Taken(self._seconds, busy, self._held(after))

    def _held(self, after: list[Look]) -> Seconds | Missing:
        """Return how long threads waited for cores: of the worker, of the referee, and this one.

        The thread that holds the clock may have come late to stop it.
        """
        held = 0.0
        for before, now in zip(self._before, after, strict=True):
            waited = held_between(before, now)
            if isinstance(waited, Missing):
                return waited
            held += waited
        if isinstance(self._ours, Missing) or isinstance(self._also, Missing):
            return Missing(reason="the kernel does not tell how long threads wait")
        return held + self._also - self._ours


def look_at(pids: Iterable[int]) -> Look:
    """Look at processes, and at all their threads."""
    found = {pid: seconds for pid in pids if (seconds := cpu_time(pid)) is not None}
    return Look(_threads(found), found, births())


def waited_here() -> Seconds | Missing:
    """Return how long the calling thread has waited for a core since it began."""
    thread = _thread(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    return (
        thread.waited
        if thread
        else Missing(reason="the kernel does not tell how long threads wait")
    )


def _threads(pids: Iterable[int]) -> dict[tuple[int, int], Thread]:
    found: dict[tuple[int, int], Thread] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (often; it is much faster)
                if thread := _thread(f"/proc/{pid}/task/{name}/schedstat"):
                    found[pid, int(name)] = thread
    return found


def busy_between(before: Look, after: Look) -> Seconds:
    """Return the CPU time of the processes between two looks; 0 where some of it is not known.

    A process that was born and ended in between leaves no trace but the machine's count of forks,
    which counts those of everybody: one more makes the answer unknown, whoever it was.
    """
    if not before.forks or after.forks != before.forks or before.processes.keys() - after.processes:
        return 0.0
    return sum(_ran(before, after).values())


def held_between(before: Look, after: Look) -> Seconds | Missing:
    """Return how long threads waited for a core between two looks."""
    if before.processes.keys() - after.processes:
        return Missing(reason="a process ended, and its waits with it")
    nothing = Thread(0.0, 0.0)
    seen, waited = dict.fromkeys(after.processes, 0.0), 0.0
    for key, now in after.threads.items():
        then = before.threads.get(key, nothing)
        seen[key[0]] += now.ran - then.ran
        waited += now.waited - then.waited
    if any(ran > seen[pid] + _UNSEEN_SECONDS for pid, ran in _ran(before, after).items()):
        return Missing(reason="a thread ended, and its waits with it")
    return max(waited, 0.0)


def _ran(before: Look, after: Look) -> dict[int, Seconds]:
    return {pid: now - before.processes.get(pid, 0.0) for pid, now in after.processes.items()}


def _thread(path: str) -> Thread | None:
    """Source: Documentation/scheduler/sched-stats.rst: ns on a core, ns waiting, time slices."""
    try:
        ran, waited, _ = map(int, Path(path).read_bytes().split())
    except (OSError, ValueError):
        return None
    return Thread(ran * 1e-9, waited * 1e-9)
