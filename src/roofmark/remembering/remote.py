"""Remote bundles: below any address that fsspec knows (`s3://`, `zip://`, `memory://`, ...).

In: an address; what answers may be hostile. Out: bundles as folders of this machine, each copied
for as long as it is read and checked like any other. Only plain names inside a bundle's folder are
taken, sizes are bounded by what is read and not by what is promised.

The stamp is what the store itself computes of every file's content (its etag). A store that says
no such thing is never trusted: its bundles are copied and checked every time.
"""

import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roofmark.analysis.history import Damaged
from roofmark.bundle import MAX_BUNDLE_BYTES
from roofmark.bundle_files import MAX_FILES, PART
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.records import MAX_RECORD_BYTES, digest
from roofmark.remembering.found import Found, is_bundle
from roofmark.terminal_text import file_name

# What stores compute or count themselves whenever a file's content changes. Source: `info` of the
# file systems of s3fs, gcsfs, adlfs and fsspec. Dates and CRCs are left out: who writes a file or
# an archive can choose them.
TOKENS = ("ETag", "etag", "md5Hash", "generation")


_OURS = ("file://", "local://")


def is_address(text: str) -> bool:
    """Return whether a text is an address and not the path of a folder."""
    return "://" in text and not text.startswith(_OURS)


def local_path(text: str) -> Path:
    """Return the folder that a path, or the address of a local file, names."""
    return Path(text.split("://", 1)[1] if text.startswith(_OURS) else text)


class Remote:
    """Bundles below an address."""

    here = False

    def __init__(self, address: str) -> None:
        """Connect. Raises: BundleError RM470 without fsspec, RM471 for an unusable address."""
        self.title = address
        # An address may hold a password, and the index is a file.
        self.base = f"remote:{digest(address.encode())}"
        self._address = address
        try:
            from fsspec.core import url_to_fs  # pyright: ignore[reportMissingTypeStubs]
        except ImportError as error:
            mend = 'pip install "roofmark[remote]"'
            raise BundleError(problem("RM470", "fsspec is not installed", address, mend)) from error
        self._files: dict[str, dict[str, str]] = {}
        with self._told():
            self._store, self._root = url_to_fs(address)

    def find(self) -> Iterator[Found | Damaged]:
        """Yield every bundle, by name."""
        with self._told():
            listed: Mapping[str, Any] = self._store.find(self._root, detail=True)
        yield from self._group(listed)

    @contextmanager
    def fetched(self, found: Found) -> Generator[Path]:
        """Yield a copy of a bundle. Raises: OSError where it cannot be had or is no bundle."""
        with tempfile.TemporaryDirectory(prefix="roofmark-") as folder:
            left = MAX_BUNDLE_BYTES
            for inside, path in self._files[found.place].items():
                data = self._read(path, min(left, MAX_RECORD_BYTES))
                left -= len(data)
                target = Path(folder, inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            yield Path(folder)

    def _read(self, path: str, limit: int) -> bytes:
        try:
            with self._store.open(path, "rb") as stream:
                data: bytes = stream.read(limit + 1)
        except Exception as error:
            # Every store has exceptions of its own.
            raise OSError(f"{path}: {error or type(error).__name__}") from error
        if len(data) > limit:
            raise OSError(f"{path}: more than {limit} bytes")
        return data

    def _group(self, listed: Mapping[str, Any]) -> Iterator[Found | Damaged]:
        """Yield the outermost folders that are bundles, with all that lies below each."""
        names: dict[str, set[str]] = defaultdict(set)
        for path in listed:
            folder, _, name = path.rpartition("/")
            names[folder].add(name)
        bundles = {folder for folder, held in names.items() if is_bundle(held)}
        inside: dict[str, dict[str, Any]] = {}
        for path, info in listed.items():
            above = (path[:at] for at, each in enumerate(path) if each == "/")
            outermost = next((folder for folder in ("", *above) if folder in bundles), None)
            if outermost is not None:
                inside.setdefault(outermost, {})[path] = info
        for folder in sorted(inside):
            yield self._bundle(folder, inside[folder])

    def _bundle(self, folder: str, inside: Mapping[str, Any]) -> Found | Damaged:
        name = file_name(folder.removeprefix(self._root.rstrip("/")).strip("/") or folder or ".")
        files = {path[len(folder) :].removeprefix("/"): path for path in inside}
        strange = [each for each in files if not all(map(PART.fullmatch, each.split("/")))]
        if strange:
            return Damaged(name=name, reason=f"it holds {strange[0]!r}, which is no bundle's file")
        if len(files) > MAX_FILES:
            return Damaged(name=name, reason=f"it holds more than {MAX_FILES} files")
        found = Found(name, f"{self.base}/{name}", _stamp(inside))
        self._files[found.place] = files
        return found

    @contextmanager
    def _told(self) -> Generator[None]:
        """Turn whatever a store raises into an error that says what it was doing."""
        try:
            yield
        except ImportError as error:
            mend = f"Install what this kind of address needs: {error}"
            raise self._unusable(error, mend) from error
        except Exception as error:
            mend = "Check the address (an archive is zip://::FILE.zip) and the store's credentials."
            raise self._unusable(error, mend) from error

    def _unusable(self, error: Exception, mend: str) -> BundleError:
        why = f"{type(error).__name__}: {error}"
        fact = f"the address cannot be read: {why}"
        return BundleError(problem("RM471", fact, self._address, mend))


def _stamp(inside: Mapping[str, Any]) -> str:
    """Return a digest over what the store says of every file, or "" if it says too little."""
    lines: list[str] = []
    for path in sorted(inside):
        info: Mapping[str, Any] = inside[path]
        tokens = [f"{key}={info[key]}" for key in TOKENS if info.get(key)]
        if not tokens:
            return ""
        lines.append(f"{path} {info.get('size')} {' '.join(tokens)}")
    return digest("\n".join(lines).encode("utf-8", "backslashreplace"))
