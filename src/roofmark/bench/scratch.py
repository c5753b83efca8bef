"""The folder of one run's temporary files, which goes with the run, or at the latest with the next.

In: nothing. Out: a folder that is locked while it is in use. A run that was killed leaves its own
unlocked, and the next run on the machine removes it.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
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
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        os.close(lock)
        _remove(folder)


def _sweep(place: Path) -> None:
    """Remove what killed runs left; whatever cannot be removed is not ours to remove."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _YOUNG_SECONDS:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove it as far as that goes; a candidate may have left a thousand folders in each other."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        # Source: rm(1) of GNU and BSD descends by file descriptors, to any depth.
        subprocess.run(["rm", "-rf", "--", folder], check=False, stderr=subprocess.DEVNULL)
