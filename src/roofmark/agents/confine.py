"""Confinement: a request reaches what lies under the root, links followed, and nothing else.

In: a root, paths and file names from a stranger. Out: absolute paths, or errors.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from roofmark.codes import problem
from roofmark.errors import BundleError, RoofmarkError
from roofmark.loading import MAX_SOURCE_BYTES

LOOPS = ".roofmark/loops"
# Chosen: more files than any solution of a kernel has.
_MOST_FILES = 64


def inside(root: Path, text: str, *, exists: bool = True) -> Path:
    """Return the path, links resolved. Raises: BundleError RM450."""
    mend = f"Name a path under {root}."
    try:
        path = (root / text).resolve()
        there = path.exists()
    except (OSError, ValueError, RuntimeError) as error:
        fact = f"{text[:200]!r} is no path: {error}"
        raise BundleError(problem("RM450", fact, "path", mend)) from error
    if not path.is_relative_to(root):
        raise BundleError(problem("RM450", f"{text[:200]!r} lies outside", str(root), mend))
    if exists and not there:
        raise BundleError(problem("RM450", f"there is no {text[:200]!r}", str(root), mend))
    return path


def loop_folder(root: Path, study: Path, solution: str) -> Path:
    """Return where the one loop of a solution lies: an agent cannot take a fresh error budget.

    Raises: BundleError RM450 when a link leads that place outside.
    """
    home = study if study.is_dir() else study.parent
    key = f"{home.relative_to(root)}\0{solution}".encode("utf-8", "surrogateescape")
    return inside(root, f"{LOOPS}/{hashlib.sha256(key).hexdigest()[:16]}", exists=False)


def write_candidate(folder: Path, files: Mapping[str, str]) -> None:
    """Write a candidate's files under `folder`. Raises: RoofmarkError RM450, RM451."""
    mend = "Name files as the study does: relative, with forward slashes."
    if len(files) > _MOST_FILES:
        raise RoofmarkError(problem("RM451", f"{len(files)} files", "files", "Send fewer."))
    for name, text in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise BundleError(problem("RM450", f"{name[:200]!r} lies outside", "files", mend))
        try:
            data = text.encode()
            if len(data) > MAX_SOURCE_BYTES:
                raise ValueError(f"it has {len(data)} bytes, more than {MAX_SOURCE_BYTES}")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        except (OSError, ValueError) as error:
            fact = f"{name[:200]!r} cannot be taken: {error}"
            raise RoofmarkError(problem("RM451", fact, "files", mend)) from error
