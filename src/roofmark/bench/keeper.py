"""The keeper: a small process between the orchestrator and one worker, where no candidate runs.

In: a worker's main function. Out: the worker's own end, passed on, after everything that it started
has ended too. It adopts the worker's orphans, so nothing they do to their session or environment
hides them; and it hears of the orchestrator's death, of which only the worker itself would.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Callable

from roofmark.bench.descendants import MARK, end_below

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36  # Source: linux/prctl.h
_FIXED = (signal.SIGKILL, signal.SIGSTOP)  # Source: signal(7); no handler can be set for them


def keep(work: Callable[[], None], *, close: tuple[int, ...], parent: int | None = None) -> None:
    """Run `work` in a child of its own and end as it ends; never returns.

    close: descriptors that are the worker's alone. parent: who started this process, if known; one
    that died before it could be listened to is found out.
    """
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGTERM, parent=parent)
    keeper = os.getpid()

    def stop(_number: int, _frame: object) -> None:
        _end(keeper, -signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent(signal.SIGKILL, parent=keeper)
        work()
        os._exit(0)
    for descriptor in close:
        os.close(descriptor)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == worker:
            _end(keeper, os.waitstatus_to_exitcode(status))


def adopt_orphans() -> None:
    """Become the parent of whatever a descendant leaves behind, so that it can be found."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end(keeper: int, code: int) -> None:
    """End everything below, then this process: with the worker's code, or by its signal."""
    end_below(keeper, os.environ[MARK])
    if code >= 0:
        os._exit(code)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code not in _FIXED:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(keeper, -code)
    os._exit(128 - code)


def die_with_parent(number: int, *, parent: int | None = None) -> None:
    """Be sent a signal when the parent dies, however it dies."""
    expected = os.getppid() if parent is None else parent
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != expected:
        os._exit(1)
