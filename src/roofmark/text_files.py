"""Text files: several of them, laid out in a folder, or none where one is in the way.

In: relative path -> text. Out: files. What is there is replaced only where the caller says so, and
that is asked before the first file is written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from roofmark.codes import problem
from roofmark.errors import BundleError


def write_files(folder: Path, files: Mapping[str, str], *, force: bool = False) -> None:
    """Write every file as UTF-8.

    Raises: BundleError RM409 for each file in the way unless `force`, RM408 when writing fails.
    """
    taken = [folder / name for name in files if (folder / name).exists()]
    if taken and not force:
        mend = "Name another folder, or pass --force."
        raise BundleError(
            *(problem("RM409", f"{path.name} exists", str(path), mend) for path in taken)
        )
    for name, text in files.items():
        _write(folder / name, text)


def append_text(path: Path, text: str) -> None:
    """Append to a UTF-8 file, or begin it. Raises: BundleError RM408 when writing fails."""
    _write(path, text, mode="a")


def _write(path: Path, text: str, *, mode: Literal["w", "a"] = "w") -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode, encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        mend = "Name a folder that can be written."
        fact = f"cannot write: {error.strerror}"
        raise BundleError(problem("RM408", fact, str(path), mend)) from error
