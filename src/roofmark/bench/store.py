"""The store of compiled libraries: by content, checked on every use, safe under concurrent runs.

In: a key over everything that decides a binary. Out: a copy of the library, if every byte that went
into it is still the same. Headers outside the study count through the digests of the files that the
compiler said it read. A damaged or half-written entry is rebuilt, never served.
"""

import contextlib
import fcntl
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path

from roofmark.errors import RoofmarkError
from roofmark.evidence import Build
from roofmark.records import Record, decode, digest, encode


class Kept(Record):
    """What stands beside a library: its proof, and the digests of the headers it was made from."""

    build: Build
    headers: dict[str, str]


class LibraryStore:
    """One entry of the store."""

    def __init__(self, root: Path, key: str) -> None:
        """Use the entry `key` below `root`."""
        self._folder = root / key[:2] / key
        self._folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the entry: of two runs that want the same library, one builds and one waits."""
        with (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def take(self, library: Path) -> Build | None:
        """Copy the library to `library` and return its proof, or None if it must be built."""
        try:
            kept = decode((self._folder / "kept.json").read_bytes(), Kept, where="build cache")
            data = (self._folder / "library.so").read_bytes()
        except (OSError, RoofmarkError):
            return None
        if digest(data) != kept.build.binary or not all(
            _same(*each) for each in kept.headers.items()
        ):
            return None
        library.write_bytes(data)
        return kept.build

    def keep(self, build: Build, library: Path, headers: Iterable[Path]) -> None:
        """Put a library in place; the record comes last, so half an entry is none."""
        (self._folder / "kept.json").unlink(missing_ok=True)
        partial = self._folder / "library.partial"
        shutil.copyfile(library, partial)
        partial.replace(self._folder / "library.so")
        digests = {str(path): digest(path.read_bytes()) for path in headers}
        record = self._folder / "kept.partial"
        record.write_bytes(encode(Kept(build=build, headers=digests)))
        record.replace(self._folder / "kept.json")


def _same(path: str, wanted: str) -> bool:
    with contextlib.suppress(OSError):
        return digest(Path(path).read_bytes()) == wanted
    return False
