"""Finding: which bundles lie below a folder, and what would betray that one of them changed.

In: a folder, which may hold anything. Out: `Found` bundles with a stamp, and `Damaged` for what
looks like a bundle and cannot be one. Nothing is opened here and no link is followed.
"""

import os
import time
from collections.abc import Iterator, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from roofmark.analysis.history import Damaged
from roofmark.bundle_files import MANIFEST, reason_of, walk_files
from roofmark.bundle_lock import LOCK
from roofmark.errors import BundleError
from roofmark.records import digest
from roofmark.terminal_text import file_name

# Chosen: file systems date changes to some milliseconds and, over a network, to a second; what was
# changed less than two before it was read could change again and keep its date.
SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """One bundle: what it is called here, where it is anywhere, and its stamp.

    stamp: a digest over names, sizes, dates and identities of its files; "" when they are so young
    that a later change could leave no trace.
    """

    name: str
    place: str
    stamp: str


class Source(Protocol):
    """Somewhere that holds bundles.

    title: for messages. base: begins every `Found.place`. here: whether the bundles lie in this
    machine's folders, so that other processes can open them too.
    """

    title: str
    base: str
    here: bool

    def find(self) -> Iterator[Found | Damaged]:
        """Yield every bundle, by name."""
        ...

    def fetched(self, found: Found) -> AbstractContextManager[Path]:
        """Return a context in which the bundle is a folder of this machine."""
        ...


class Folder:
    """A folder of this machine, or a single bundle."""

    here = True

    def __init__(self, folder: Path) -> None:
        """Look below `folder`; it may be a link itself."""
        self.title = str(folder)
        self._root = folder.resolve()
        self.base = file_name(self._root)
        self._paths: dict[str, Path] = {}

    def find(self) -> Iterator[Found | Damaged]:
        """Yield every bundle, by name. Hidden folders are not looked into."""
        waiting = [self._root]
        while waiting:
            yield from self._look(waiting.pop(), waiting)

    def fetched(self, found: Found) -> AbstractContextManager[Path]:
        """Return the bundle's own folder."""
        return nullcontext(self._paths[found.place])

    def _look(self, folder: Path, waiting: list[Path]) -> Iterator[Found | Damaged]:
        """Yield what a folder is, or add the folders in it to those that wait, last one first."""
        try:
            with os.scandir(folder) as entries:
                held = {entry.name: entry for entry in entries}
        except OSError as error:
            reason = f"the folder cannot be looked into: {reason_of(error)}"
            yield Damaged(name=self._name(folder), reason=reason)
            return
        if is_bundle(held.keys()):
            yield self._found(folder)
            return
        inside: list[Path] = []
        for name in sorted(held):
            if held[name].is_symlink() and _leads_to_bundle(held[name].path):
                reason = "a link to a bundle; links are not followed"
                yield Damaged(name=self._name(folder / name), reason=reason)
            elif held[name].is_dir(follow_symlinks=False) and not name.startswith("."):
                inside.append(folder / name)
        waiting += reversed(inside)

    def _found(self, folder: Path) -> Found:
        place = file_name(folder)
        self._paths[place] = folder
        return Found(self._name(folder), place, stamp_of(folder))

    def _name(self, folder: Path) -> str:
        inside = folder.relative_to(self._root).as_posix()
        return file_name(self._root.name if inside == "." else inside)


def is_bundle(names: Set[str]) -> bool:
    """Return whether a folder with these files is a bundle, or was to become one."""
    begun = "study.json" in names and ("environment.json" in names or LOCK in names)
    return MANIFEST in names or begun


def _leads_to_bundle(path: str) -> bool:
    try:
        return is_bundle(set(os.listdir(path)))  # noqa: PTH208 (a string is enough)
    except OSError:
        return False


def stamp_of(folder: Path) -> str:
    """Return a digest over what the system keeps of every file, or "" where it may not be trusted.

    Size and date of the content can be set back by whoever changes a file; the date at which the
    system last touched it (ctime) and its number (inode) cannot.
    """
    before = time.time_ns()
    lines: list[str] = []
    newest = 0
    try:
        for name, entry in walk_files(folder):
            held = entry.stat(follow_symlinks=False)
            changed = held.st_ctime_ns
            newest = changed if changed > newest else newest
            lines.append(f"{name} {held.st_ino} {held.st_size} {held.st_mtime_ns} {changed}")
    except (OSError, BundleError):
        return ""
    if newest > before - SETTLED_NS:
        return ""
    return digest("\n".join(sorted(lines)).encode("utf-8", "surrogateescape"))
