"""Everything that a child process started, found and ended.

In: a child's process id and its mark. Out: no living process that belongs to it. There are three
ways to find one, because a candidate may evade any of them: it descends from the child (the keeper,
which adopts orphans), it is of the child's session, or its environment carries the child's mark.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from roofmark.bench.family import Family

MARK = "ROOFMARK_CHILD"
"""The environment variable that holds the mark."""

# Chosen: a process that forks while it is being ended needs a few rounds; more would be a fork bomb
# that only a container can stop.
_ROUNDS = 50
# Chosen: the kernel ends a killed process within milliseconds unless it waits for a device.
_PATIENCE_SECONDS = 2.0


def end_tree(child: int, mark: str) -> None:
    """Kill a child with all that belongs to it; the child itself is left for its parent to reap."""
    seen: set[int] = set()
    try:
        # The child is not stopped meanwhile: if we die here, a stopped one could not end the rest.
        seen = _end_below(child, mark)
    finally:
        _kill(child)
    for pid in seen:
        _reap(pid)


def end_below(keeper: int, mark: str) -> None:
    """Kill and reap all that belongs to a keeper, which is this process, but not itself."""
    for pid in _end_below(keeper, mark):
        _reap(pid)


def _end_below(child: int, mark: str) -> set[int]:
    """Kill all that belongs to `child`, round after round; return everything that was seen."""
    seen: set[int] = set()
    # Who stands still starts nothing more; a look at the whole machine is slow beside a chain of
    # processes, each of which starts the next one and ends.
    Family(child).pause()
    for _ in range(_ROUNDS):
        found = _belonging(child, mark) - {child, os.getpid()}
        for pid in found:
            _kill(pid)
        seen |= found
        if not any(_alive(pid) for pid in found):
            break
        time.sleep(0.005)
    return seen


def marked(mark: str) -> set[int]:
    """Return processes whose environment carries the mark, whoever their parent is."""
    wanted = f"{MARK}={mark}".encode()
    found: set[int] = set()
    for pid in _all():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def _belonging(child: int, mark: str) -> set[int]:
    stats = {pid: stat for pid in _all() if (stat := _stat(pid)) is not None}
    found = {pid for pid, (_, _, session) in stats.items() if session == child}
    family, grown = {child}, True
    while grown:
        more = {pid for pid, (_, parent, _) in stats.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return found | family | marked(mark)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """Return state, parent and session; None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything, so what follows the last one is parsed.
    state, parent, _, session = text.rpartition(")")[2].split()[:4]
    return state, int(parent), int(session)


def _alive(pid: int) -> bool:
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (much faster)


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    """Take an orphan's last breath off the table, once its end has made it ours."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with contextlib.suppress(OSError):
        while _stat(pid) is not None and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    return
            time.sleep(0.005)
