"""A worker and all that it started: stopped while nobody asks it anything.

In: the keeper's process id. Out: every process below it is stopped, or goes on. A worker that runs
while another one is visited can slow that one down, read what it writes into the shared memory, or
compute ahead what it will be asked for. A stopped one cannot.

To look for them is to read a file for each thread, of which a CUDA process has dozens, and that
several times. So they are looked for only where something may have been born since they were last
found, all of them, and stood still.
"""

import signal
from collections.abc import Iterable

from roofmark.bench.births import births
from roofmark.bench.pausing import (
    await_stop,
    await_threads,
    below,
    cpu_time,
    send_signal,
    stands_still,
    state_of,
)
from roofmark.units import Seconds

# Chosen: a chain of processes, each of which starts the next and ends, lives for 50 us a link; a
# look takes about as long, so it is caught in a few rounds, and missed by one now and then.
_ROUNDS, _QUIET_ROUNDS = 100, 3


class Family:
    """All processes below a keeper, but not itself."""

    def __init__(self, keeper: int) -> None:
        """Know nobody yet."""
        self._keeper = keeper
        self._known: set[int] = set()
        self._born = 0
        self._before: dict[int, Seconds] = {}

    def members(self) -> tuple[int, ...]:
        """Return every descendant; one that ended may be among them."""
        return tuple(self._known if self._complete() else below(self._keeper))

    def resume(self) -> None:
        """Let all go on."""
        self._before = {}
        for pid in self.members():
            send_signal(pid, signal.SIGCONT)

    def take_ran(self) -> Seconds:
        """Return the CPU time that they have taken since they were stopped, or since the last look.

        Next to none; but the kernel itself may wake a process (by a timer that sends SIGCONT), and
        a thread in a system call stops when the call ends.
        """
        before = self._before
        self._before = _clocks(self.members()) if before else {}
        return sum(max(0.0, now - before.get(pid, 0.0)) for pid, now in self._before.items())

    def pause(self, *, threads: bool = False) -> bool:
        """Stop all; return whether they stand still.

        threads: wait for each thread, which takes a look at every one of them.
        """
        still = self._pause() and (not threads or await_threads(self._known))
        self._before = _clocks(self._known)
        return still

    def _pause(self) -> bool:
        if self._complete():
            # Not one of these numbers is another process's: none was given out.
            for pid in self._known:
                send_signal(pid, signal.SIGSTOP)
            await_stop(self._known)
            if self._complete() and all(map(stands_still, self._known)):
                return True
        return self._search()

    def _complete(self) -> bool:
        return self._born > 0 and births() == self._born

    def _search(self) -> bool:
        """Stop whoever is found, round after round.

        Each is stopped as soon as it is found: one that starts the next one and ends is gone by the
        time that a list of all is made.
        """
        self._known, self._born = set(), 0
        quiet = 0
        for _ in range(_ROUNDS):
            born, seen = births(), set(self._stopped_below())
            quiet = 0 if seen - self._known else quiet + 1
            # Nobody was born, and nobody ended, while all that are known stood still: then no child
            # of theirs changed its place in the list while that was read.
            whole = seen == self._known and births() == born and all(map(_is_stopped, seen))
            self._known |= seen
            if quiet and whole:
                self._born = born
                return True
            if quiet == _QUIET_ROUNDS:
                return True
        return False

    def _stopped_below(self) -> set[int]:
        """Return all that are found, those who are new stopped at once."""
        seen: set[int] = set()
        for pid in below(self._keeper):
            seen.add(pid)
            if pid not in self._known:
                send_signal(pid, signal.SIGSTOP)
        await_stop(seen - self._known)
        return seen


def _clocks(pids: Iterable[int]) -> dict[int, Seconds]:
    return {pid: cpu_time(pid) or 0.0 for pid in pids}


def _is_stopped(pid: int) -> bool:
    return state_of(pid) in ("T", "t")
