"""Remembering: every bundle below a folder, each judged once.

In: a folder. Out: a `History`. What judging a bundle gave is kept in the user's cache folder under
the digest of its manifest; the cache can be deleted at any time and is never the evidence. A bundle
whose files have other sizes or dates than when it was judged is checked again, byte for byte.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from roofmark import __version__
from roofmark.analysis.history import Damaged, History, Named, trace_history
from roofmark.analysis.rules import loaded_plugins
from roofmark.analysis.summaries import RunSummary, summarise_bundle
from roofmark.bundle import MANIFEST, open_bundle
from roofmark.bundle_files import read_plain
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.records import Record, decode, digest, encode
from roofmark.terminal_text import file_name

# Raised whenever a summary gets other fields or a verdict other arithmetic.
FORMAT = 1


class Kept(Record):
    """A summary, and sizes and dates of the bundle's files when it was made."""

    stamp: str
    summary: RunSummary


def read_history(
    folder: Path,
    *,
    solution: str | None = None,
    workload: str | None = None,
    cache: Path | None = None,
) -> History:
    """Return the history of every bundle below `folder`.

    cache: where summaries are kept; by default in the user's cache folder.
    Raises: BundleError RM401 where there is no bundle, StudyError RM130 for a solution or workload
        that none of them holds. A damaged bundle is listed, not raised.
    """
    runs: list[Named] = []
    damaged: list[Damaged] = []
    place = cache or summary_cache()
    for path in find_bundles(folder):
        own = path.relative_to(folder).as_posix() if path != folder else path.resolve().name
        name = file_name(own)
        try:
            runs.append((name, _summary(path, place)))
        except BundleError as error:
            damaged.append(Damaged(name=name, reason=error.problems[0].fact))
    if not runs and not damaged:
        fact, mend = "there is no bundle in this folder", "Name a folder of bundles."
        raise BundleError(problem("RM401", fact, str(folder), mend))
    _check_known("solution", solution, [set(run.solutions) for _, run in runs], folder)
    _check_known("workload", workload, [set(run.conditions.workloads) for _, run in runs], folder)
    return trace_history(runs, damaged, solution=solution, workload=workload)


def find_bundles(folder: Path) -> Iterator[Path]:
    """Yield every bundle at or below a folder, unfinished ones too; links are not followed."""
    for here, folders, files in os.walk(folder):
        if MANIFEST in files or {"study.json", "environment.json"} <= set(files):
            folders.clear()
            yield Path(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def summary_cache() -> Path:
    """Return where summaries are kept; another version or another plugin has its own folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    which = digest(f"{FORMAT} {__version__} {sorted(loaded_plugins().items())}".encode())[:16]
    return Path(base).expanduser() / "roofmark" / "summaries" / which


def _summary(path: Path, place: Path) -> RunSummary:
    """Return the summary of a bundle, from the cache where its files are as they were."""
    stamp, file = _stamp(path), place / f"{_seal(path)}.json"
    kept = _read_kept(file)
    if kept is not None and kept.stamp == stamp:
        return kept.summary
    bundle = open_bundle(path)
    summary = kept.summary if kept is not None else summarise_bundle(bundle)
    # A cache that cannot be written costs time and nothing else.
    with contextlib.suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        partial.write_bytes(encode(Kept(stamp=stamp, summary=summary)))
        partial.replace(file)
    return summary


def _read_kept(file: Path) -> Kept | None:
    try:
        return decode(file.read_bytes(), Kept, where=file)
    except (OSError, BundleError):
        return None


def _seal(path: Path) -> str:
    try:
        return hashlib.sha256(read_plain(path / MANIFEST)).hexdigest()
    except OSError:
        return "unsealed"


def _stamp(path: Path) -> str:
    """Return a digest over place, size and date of every file."""
    lines: list[str] = []
    for here, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            with contextlib.suppress(OSError):
                found = Path(here, name).lstat()
                lines.append(f"{here} {name} {found.st_size} {found.st_mtime_ns}")
    return digest("\n".join(lines).encode(errors="surrogateescape"))


def _check_known(what: str, wanted: str | None, held: list[set[str]], folder: Path) -> None:
    known = set[str]().union(*held)
    if wanted is not None and wanted not in known:
        mend = f"Name one of: {', '.join(sorted(known))}."
        raise StudyError(problem("RM130", f"there is no {what} {wanted!r}", str(folder), mend))
