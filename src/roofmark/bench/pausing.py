"""Stop a worker while nobody asks it anything, so that nothing it left behind works meanwhile.

In: the keeper's process id. Out: every process below it is stopped, or goes on. A worker that runs
while another one is visited can slow that one down, read what it writes into the shared memory, or
compute ahead what it will be asked for. A stopped one cannot.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

# Chosen: a chain of processes, each of which starts the next and ends, lives for 50 us a link; a
# look takes about as long, so it is caught in a few rounds, and missed by one now and then.
_ROUNDS, _QUIET_ROUNDS = 100, 3
# Chosen: stopping takes microseconds; who waits for a device may take a moment longer.
_PATIENCE_SECONDS = 0.05


def pause_below(keeper: int) -> bool:
    """Stop all processes below `keeper`, but not itself; return whether they stand still.

    Each is stopped as soon as it is found: one that starts the next one and ends is gone by the
    time that a list of all is made.
    """
    known: set[int] = set()
    quiet = 0
    for _ in range(_ROUNDS):
        fresh: set[int] = set()
        for pid in below(keeper):
            if pid not in known:
                _signal(pid, signal.SIGSTOP)
                fresh.add(pid)
        _await_stop(fresh)
        known |= fresh
        quiet = 0 if fresh else quiet + 1
        if quiet == _QUIET_ROUNDS:
            return True
    return False


def pause_process(pid: int) -> None:
    """Stop one process with all its threads, and wait until it stands still."""
    _signal(pid, signal.SIGSTOP)
    _await_stop({pid})


def resume_below(keeper: int) -> None:
    """Let all processes below `keeper` go on."""
    for pid in below(keeper):
        _signal(pid, signal.SIGCONT)


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


def below(keeper: int) -> Iterator[int]:
    """Yield every descendant. Orphans are the keeper's children, so none is missed."""
    waiting = children_of(keeper)
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children_of(pid)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _await_stop(pids: set[int]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not all(map(_stands_still, pids)) and time.monotonic() < deadline:
        time.sleep(2e-5)


def _stands_still(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[0] in "TtZX"


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
