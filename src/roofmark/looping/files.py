"""Files of a loop: whole or not there at all, whenever the process is killed.

In: bytes, records. Out: files under the loop's folder.
"""

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from roofmark.bundle_files import reason_of, sync_folder
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.loading import MAX_SOURCE_BYTES
from roofmark.terminal_text import file_name

# Chosen: what Python leaves behind wherever it runs, a repository's own store, and loops' own.
_IGNORED = ("__pycache__", ".git", ".roofmark")


def put(path: Path, data: bytes) -> None:
    """Write beside the target, force it to disk, rename; a file that is there keeps its mode.

    Raises: BundleError RM408.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.is_file():
            partial.chmod(path.stat().st_mode & 0o777)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        fact = f"cannot write: {error.strerror}"
        raise BundleError(
            problem("RM408", fact, str(path), "Free the disk or open the folder, then go on.")
        ) from error


def copy_tree(source: Path, target: Path, *, without: Path | None = None) -> None:
    """Copy a study's folder, links as links; `without` (a folder inside it) stays behind.

    Raises: BundleError RM408, which names the first file that cannot be copied.
    """
    left = without.resolve() if without else None

    def ignored(folder: str, names: list[str]) -> Collection[str]:
        here = Path(folder).resolve()
        return {name for name in names if name in _IGNORED or here / name == left}

    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
    except OSError as error:
        # Of a tree, an error is a list of (source, target, reason).
        first = error.args[0][0] if isinstance(error, shutil.Error) else (source, "", error)
        why = reason_of(first[2]) if isinstance(first[2], OSError) else first[2]
        mend = "Free the disk, or take what is no plain file out of the study's folder."
        raise BundleError(
            problem("RM408", f"cannot copy {first[0]}: {why}", str(target), mend)
        ) from error


def overlay(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Put texts in place of files that are there."""
    for name, text in files:
        put(folder / name, text.encode())


def snapshot(folder: Path) -> dict[str, str | bytes]:
    """Return what lies where: the bytes of a file, the target of a link, "special" of the rest.

    Of a file that is too large for a source, its size and when it was changed. Raises: OSError,
    RecursionError for folders that nobody could have meant.
    """
    found: dict[str, str | bytes] = {}
    for base, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(base) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in _IGNORED]
        for name in (*names, *links):
            path = Path(base) / name
            found[file_name(path.relative_to(folder).as_posix())] = _content(path)
    return found


def _content(path: Path) -> str | bytes:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        return "special"
    status = path.stat()
    if status.st_size > MAX_SOURCE_BYTES:
        return f"larger than a source: {status.st_size} bytes, of {status.st_mtime_ns} ns"
    return path.read_bytes()
