"""The folder of one run's temporary files, which goes with the run, or at the latest with the next.

In: nothing. Out: a folder that is locked while it is in use. A run that was killed leaves its own
unlocked, and the next run on the machine removes it.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

_PREFIX = "roofmark-run-"
# Chosen: a folder is locked at once after it is made; a minute covers a host that was suspended.
_YOUNG_SECONDS = 60.0


@contextlib.contextmanager
def open_scratch() -> Generator[Path]:
    """Yield a fresh folder; it is removed at the end."""
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = _open_folder(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        with contextlib.suppress(OSError):
            _remove(folder)
        os.close(lock)


def _sweep(place: Path) -> None:
    """Remove what killed runs left; whatever cannot be removed is not ours to remove."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _YOUNG_SECONDS:
                continue
            lock = _open_folder(folder)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a tree of any depth, as far as it can be removed.

    A candidate may nest folders beyond the longest path and Python's deepest recursion. So what is
    two levels down is moved one up, until there is nothing to move.
    """
    stuck: set[str] = set()
    while below := [n for n in _entries(folder, folders=True) if n not in stuck]:
        for name in below:
            try:
                _empty(folder / name, into=folder)
            except OSError:
                stuck.add(name)
    for name in _entries(folder, folders=False):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _empty(folder: Path, *, into: Path) -> None:
    """Remove a folder: its files go, its folders move `into` another under names of their own.

    Raises: OSError when something stays.
    """
    folder.chmod(0o700)
    handle = _open_folder(folder)
    try:
        for name in _entries(handle, folders=True):
            with contextlib.suppress(OSError):
                os.rename(name, into / secrets.token_hex(8), src_dir_fd=handle)
        for name in _entries(handle, folders=False):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=handle)
    finally:
        os.close(handle)
    folder.rmdir()


def _entries(folder: Path | int, *, folders: bool) -> list[str]:
    with os.scandir(folder) as found:
        return [each.name for each in found if each.is_dir(follow_symlinks=False) is folders]


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
