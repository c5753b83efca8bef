"""One writer per folder: a lock that the kernel releases however its holder ends.

In: a folder. Out: a descriptor that holds the lock until it is closed, or BundleError RM406.
"""

import fcntl
import os
import shutil
from pathlib import Path

from roofmark.errors import BundleError, Problem

LOCK = ".lock"


def lock_folder(path: Path) -> int:
    """Lock a folder and return the descriptor to close. Raises: BundleError RM406."""
    handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BundleError(
            Problem(
                code="RM406",
                fact="another run is writing this bundle",
                where=str(path),
                meaning="Two runs in one folder would mix their evidence.",
                mend="Wait for it to end, or name another folder with -o.",
            )
        ) from error
    return handle


def empty_folder(path: Path) -> None:
    """Delete all but the lock: deleted by name, a lock that is held would hold nothing."""
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != LOCK:
            each.unlink()
