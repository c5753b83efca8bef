"""Processes below a keeper: found, stopped, timed.

In: process ids. Out: who descends from them, whether they stand still, what CPU time they took.
family.py does this again and again without looking twice.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from roofmark.units import Seconds

# Chosen: stopping takes microseconds; who waits for a device may take a moment longer.
_PATIENCE_SECONDS = 0.05
# Chosen: longer than any honest system call computes; to clear a GiB of memory takes 0.3 s.
_LONGEST_CALL_SECONDS = 2.0


def pause_process(pid: int) -> None:
    """Stop one process with all its threads, and wait until it stands still."""
    send_signal(pid, signal.SIGSTOP)
    await_stop({pid})


def children_of(pid: int) -> list[int]:
    """Return what any thread of the process forked; nothing where the kernel does not tell."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (often; it is much faster)
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                found += map(int, text.split())
    return found


def cpu_seconds_below(keeper: int) -> float:
    """Return the CPU time that all processes below `keeper` have taken, ended ones included."""
    return sum(map(_cpu_seconds, (keeper, *below(keeper))))


def cpu_time(pid: int) -> Seconds | None:
    """Return the CPU time of a process, to the nanosecond; None when it is gone.

    Source: clock_getcpuclockid(3) as glibc makes it: the clock of a whole process.
    """
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return None


def below(keeper: int) -> Iterator[int]:
    """Yield every descendant. Orphans are the keeper's children, so none is missed."""
    waiting = children_of(keeper)
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children_of(pid)


def send_signal(pid: int, number: int) -> None:
    """Send a signal, unless the process is gone."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def await_stop(pids: set[int]) -> None:
    """Wait a moment until these have stopped."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not all(map(stands_still, pids)) and time.monotonic() < deadline:
        time.sleep(2e-5)


def await_threads(pids: Iterable[int]) -> bool:
    """Wait until all threads of these have stopped; return whether they have.

    A thread stops when it leaves the kernel. In a long system call it goes on until then, and may
    write into memory that others share. One that waits there takes no CPU time and does nothing.
    """
    begun = time.monotonic()
    waiting = {pid: cpu_time(pid) for pid in pids if not _threads_stopped(pid)}
    while waiting and time.monotonic() < begun + _LONGEST_CALL_SECONDS:
        early = time.monotonic() < begun + _PATIENCE_SECONDS
        time.sleep(5e-5 if early else _PATIENCE_SECONDS)
        waiting = {
            pid: now
            for pid, before in waiting.items()
            if not _threads_stopped(pid) and ((now := cpu_time(pid)) != before or early)
        }
    return not waiting


def _threads_stopped(pid: int) -> bool:
    """Look at every thread, of which there may be hundreds: by nothing but system calls."""
    folder = f"/proc/{pid}/task"
    with contextlib.suppress(OSError):
        return all(_is_at_rest(f"{folder}/{thread}/stat") for thread in os.listdir(folder))  # noqa: PTH208
    return True


def _is_at_rest(path: str) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        # The state follows the name, which is short and in parentheses.
        return os.read(file, 64).rpartition(b") ")[2][:1] in b"TtZX"
    except OSError:
        return True
    finally:
        os.close(file)


def stands_still(pid: int) -> bool:
    """Return whether a process is stopped, or gone."""
    return state_of(pid) in ("", "T", "t", "Z", "X")


def state_of(pid: int) -> str:
    """Return the state as proc_pid_stat(5) writes it, "" when the process is gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def _cpu_seconds(pid: int) -> float:
    fields = _stat(pid)
    # Source: proc_pid_stat(5): the 14th field and following are utime, stime, and cutime, cstime of
    # children that ended, in clock ticks.
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on; none when the process is gone."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        # The name in parentheses may hold anything, so what follows the last one is parsed.
        return text.rpartition(")")[2].split()
    return []
