"""One writer per bundle: a lock that the system lets go of when its holder dies.

In: a folder. Out: an open file that holds the lock until it is closed.
"""

import fcntl
import os
import shutil
from pathlib import Path

from roofmark.bundle_errors import being_written

LOCK = ".lock"


def lock_folder(path: Path) -> int:
    """Lock the folder. Raises: BundleError RM406 when it is locked, OSError when it cannot be."""
    # Not through a link: it could lead to a file that is none of ours.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path / LOCK, flags, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise being_written(path) from error
    return handle


def empty_folder(path: Path) -> None:
    """Delete all but the lock: deleted by name, a lock that is held would hold nothing."""
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != LOCK:
            each.unlink()
