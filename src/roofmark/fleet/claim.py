"""Claims: one holder per device and per core on a host, whoever runs on it.

In: a name. Out: a claim that lasts until it is released or its process ends, however that happens.
A claim is a Unix socket bound to an abstract name (unix(7)): no file, so nothing is left behind and
nobody's permissions matter. It is seen by everybody in the same network namespace, not beyond.
"""

import contextlib
import errno
import os
import socket
import time

# Chosen: the kernel lets go of a killed process's claims within milliseconds, but the driver of a
# GPU may hold a dying process for seconds.
PATIENCE = 10.0
_POLL = 0.05


class Claim:
    """Names that are held together."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Hold every name. Raises: BlockingIOError when another holds one of them."""
        self._held: list[socket.socket] = []
        try:
            for name in names:
                self._held.append(_bind(name))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go."""
        for each in self._held:
            each.close()
        self._held.clear()


def claim(*names: str, patience: float = PATIENCE) -> Claim:
    """Return a claim on all names, waiting for them. Raises: BlockingIOError after `patience`."""
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(BlockingIOError):
            return Claim(names)
        if time.monotonic() > deadline:
            raise BlockingIOError(errno.EADDRINUSE, f"another process holds {' or '.join(names)}")
        time.sleep(_POLL)


def claim_slot(slots: int, *, patience: float = PATIENCE) -> tuple[Claim, tuple[int, ...]]:
    """Return a claim on the first free of `slots` equal parts of this process's cores, and those.

    Raises: BlockingIOError when all are taken, ValueError for more slots than cores.
    """
    parts = cut_cores(tuple(sorted(os.sched_getaffinity(0))), slots)
    deadline = time.monotonic() + patience
    while True:
        for cores in parts:
            with contextlib.suppress(BlockingIOError):
                return Claim(tuple(f"core/{core}" for core in cores)), cores
        if time.monotonic() > deadline:
            raise BlockingIOError(errno.EADDRINUSE, f"all {slots} slots of cores are taken")
        time.sleep(_POLL)


def cut_cores(cores: tuple[int, ...], slots: int) -> list[tuple[int, ...]]:
    """Return disjoint runs of equal length. Raises: ValueError for more slots than cores."""
    size = len(cores) // slots
    if not size:
        raise ValueError(f"{slots} slots were asked for; there are {len(cores)} cores")
    return [cores[i * size : (i + 1) * size] for i in range(slots)]


def _bind(name: str) -> socket.socket:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0roofmark/{name}")
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise BlockingIOError(error.errno, name) from error
        raise
    return held
