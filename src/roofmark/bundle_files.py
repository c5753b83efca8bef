"""The files of a bundle: which there are, which may be there, and how to read one safely.

In: a folder that may be hostile. Out: names that stay inside it, bytes of plain files of bounded
size. A link is a file that no bundle holds, never a way on.
"""

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import overload

from roofmark.bundle_errors import damaged, not_a_bundle
from roofmark.bundle_lock import LOCK
from roofmark.records import MAX_RECORD_BYTES

MANIFEST = "manifest.json"
# Chosen: a study of 1,000 workloads and 10 solutions stays below this; a folder with more is not
# a bundle and would only make a reader slow.
MAX_FILES = 50_000
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")


def list_files(path: Path) -> list[str]:
    """Every file below `path` except the manifest and the lock; a link is a file, not a way on."""
    return sorted(name for name, _ in walk_files(path) if name not in (MANIFEST, LOCK))


def walk_files(path: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """Return (name inside the folder, entry) of everything in it that is no folder.

    Raises: BundleError RM401 for more files than a bundle may hold, or a folder that is closed.
    """
    found: list[tuple[str, os.DirEntry[str]]] = []
    root, waiting = f"{path}/", [""]
    for inside in waiting:
        try:
            with os.scandir(root + inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{inside}{entry.name}/")
                    else:
                        found.append((inside + entry.name, entry))
        except OSError as error:
            why = f"the folder {inside!r} cannot be read: {reason_of(error)}"
            raise not_a_bundle(path, why) from error
        if len(found) + len(waiting) > MAX_FILES:
            raise not_a_bundle(path, f"the folder holds more than {MAX_FILES} files")
    return found


def is_strange(path: Path, name: str) -> bool:
    """Return whether a reader would refuse this file."""
    mode = (path / name).lstat().st_mode
    return not (stat.S_ISREG(mode) and all(PART.fullmatch(part) for part in name.split("/")))


@overload
def read_plain(path: Path) -> bytes: ...
@overload
def read_plain(path: Path, *, expected: int) -> bytes | None: ...
def read_plain(path: Path, *, expected: int | None = None) -> bytes | None:
    """Read a plain file, or return None when it has not the expected size.

    Raises: OSError for what is missing, a link, special, or larger than a record may be.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "a special file", str(path))
        if expected is not None and status.st_size != expected:
            return None
        if status.st_size > MAX_RECORD_BYTES:
            raise OSError(errno.EFBIG, "larger than a record may be", str(path))
        # A file may grow while it is read; one byte more than it should have is enough to see it.
        data = file.read(status.st_size + 1)
        return data if expected is None or len(data) == expected else None


def reason_of(error: OSError) -> str:
    """Return why a file could not be read, in a few words."""
    if error.errno == errno.ELOOP:
        return "a link"
    return error.strerror or type(error).__name__


def sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def checked_name(name: str) -> str:
    """Return `name` if it stays inside the bundle. Raises: BundleError RM404."""
    if not all(PART.fullmatch(part) for part in name.split("/")):
        raise damaged([f"the name {name!r} leads out of the bundle or holds odd characters"], name)
    return name
