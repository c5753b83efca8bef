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
SIGNATURES = "signatures.jsonl"
# What the manifest does not list: itself, who signed it, and who writes.
BESIDE = (MANIFEST, SIGNATURES, LOCK)
# Chosen: a study of 1,000 workloads and 10 solutions stays below this; a folder with more is not
# a bundle and would only make a reader slow.
MAX_FILES = 50_000
# Source: bundle.py; the deepest file it knows is profiles/<workload>/<solution>.json.
MAX_DEPTH = 8
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")


def list_files(path: Path) -> list[str]:
    """Every file below `path` but the seal and what stands beside it; a link is a file, no way on.

    Raises: BundleError RM401 as `walk_files`.
    """
    return sorted(name for name, _ in walk_files(path) if name not in BESIDE)


def walk_files(path: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """Return (name inside the folder, entry) of everything in it that is no folder.

    Raises: BundleError RM401 for more files or folders than a bundle holds, or one that is closed.
    """
    found: list[tuple[str, os.DirEntry[str]]] = []
    root, waiting = f"{path}/", [""]
    for inside in waiting:
        if inside.count("/") > MAX_DEPTH:
            raise not_a_bundle(path, f"the folder is nested more than {MAX_DEPTH} deep")
        try:
            with os.scandir(root + inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{inside}{entry.name}/")
                    else:
                        found.append((inside + entry.name, entry))
        except OSError as error:
            why = f"the folder {inside!r} cannot be listed: {reason_of(error)}"
            raise not_a_bundle(path, why) from error
        if max(len(found), len(waiting)) > MAX_FILES:
            raise not_a_bundle(path, f"the folder holds more than {MAX_FILES} files or folders")
    return found


def is_strange(path: Path, name: str) -> bool:
    """Return whether a reader would refuse this file."""
    mode = (path / name).lstat().st_mode
    return not (stat.S_ISREG(mode) and all(PART.fullmatch(part) for part in name.split("/")))


def read_named(path: str | Path) -> bytes:
    """Read a file that a person named; it may be a link, and is as bounded as any other.

    Raises: OSError for what is missing, special, or larger than a record may be.
    """
    return read_plain(Path(os.path.realpath(path)))


def read_inside(folder: Path, name: str, *, expected: int) -> bytes | None:
    """Read a plain file of a bundle; no folder on the way to it is a link.

    Raises: OSError, BundleError RM404 for a name that no bundle holds.
    """
    path = folder / checked_name(name)
    for parent in path.parents:
        if parent == folder:
            return read_plain(path, expected=expected)
        if parent.is_symlink():
            raise OSError(errno.ELOOP, "behind a link", str(path))
    raise OSError(errno.ENOENT, "outside", str(path))


@overload
def read_plain(path: Path) -> bytes: ...
@overload
def read_plain(path: Path, *, expected: int) -> bytes | None: ...
def read_plain(path: Path, *, expected: int | None = None) -> bytes | None:
    """Read a plain file, or return None when it has not the expected size.

    Raises: OSError for what is missing, a link, special, or larger than a record may be.
    """
    # Asked before it is opened: some devices begin to work when they are.
    if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISLNK(mode):
        raise OSError(errno.EINVAL, "a special file", str(path))
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
        shown = repr(name if len(name) <= 200 else name[:200] + "...")
        fact = f"the name {shown} leads out of the bundle or holds odd characters"
        raise damaged([fact], "its manifest")
    return name
