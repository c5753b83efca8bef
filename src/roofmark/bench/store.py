"""Built libraries by the digest of everything that decides them.

In: a key made before the compiler runs, and a function that runs it. Out: the library's bytes with
what the compiler said, from the cache or fresh. An entry is used only if the library still has the
digest it was stored with and every file that the compiler read (its depfile: tvm-ffi's headers,
the system's headers) still has the bytes it had then: an include is no part of the key, because it
is not known before the build.

    <cache>/<key>/library.so    <cache>/<key>/entry.json    <cache>/<key>.lock

One build per key at a time (flock, which the kernel releases when its holder is killed). An entry
appears by one rename, so a build that is killed leaves only `<key>.partial`, which the next holder
of the lock removes.
"""

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Generator
from pathlib import Path

from roofmark.errors import RoofmarkError
from roofmark.records import Record, decode, digest, encode_pretty

# Chosen: short against any compilation, long enough to cost nothing while waiting.
_POLL = 0.05


class StoredBuild(Record):
    """One entry. binary: sha256 of the library; inputs: path -> sha256 of every file read."""

    binary: str
    command: tuple[str, ...]
    compiler: str
    seconds: float
    log: str
    inputs: dict[str, str]


Compile = Callable[[], tuple[StoredBuild, bytes]]


def stored_build(
    cache: Path, key: str, compile_now: Compile, *, limit: float
) -> tuple[StoredBuild, bytes, bool]:
    """Return (what was built, the library's bytes, whether the cache had it).

    Raises: whatever `compile_now` raises; a failure is never stored.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{key}.lock", limit=limit) as held:
        found = _read(cache / key)
        if found is not None:
            return *found, True
        entry, library = compile_now()
        if held:
            with contextlib.suppress(OSError):  # a full disk costs the cache, not the build
                _store(cache / key, entry, library)
        return entry, library, False


def build_cache() -> Path:
    """Return where built libraries are kept from run to run."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "roofmark" / "builds"


def read_depfile(path: Path, folder: Path) -> dict[str, str]:
    """Return path -> sha256 of every file outside `folder` that a compiler's depfile lists.

    Files inside `folder` are part of the key. Raises: OSError when a listed file is gone.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape").replace("\\\n", " ")
    names: set[Path] = set()
    for rule in text.splitlines():
        _, colon, listed = rule.partition(":")
        words = re.split(r"(?<!\\)\s+", listed.strip()) if colon else []
        names |= {(folder / word.replace("\\ ", " ")).resolve() for word in words if word}
    outside = sorted(each for each in names if not each.is_relative_to(folder.resolve()))
    return {str(each): digest(each.read_bytes()) for each in outside}


def _read(place: Path) -> tuple[StoredBuild, bytes] | None:
    """Return the entry if it can still be believed."""
    try:
        entry = decode((place / "entry.json").read_bytes(), StoredBuild, where=place)
        library = (place / "library.so").read_bytes()
    except (OSError, RoofmarkError):
        return None
    if digest(library) != entry.binary or not _unchanged(entry.inputs):
        return None
    return entry, library


def _unchanged(inputs: dict[str, str]) -> bool:
    try:
        return all(digest(Path(path).read_bytes()) == known for path, known in inputs.items())
    except OSError:
        return False


def _store(place: Path, entry: StoredBuild, library: bytes) -> None:
    partial = place.with_name(place.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    _write(partial / "library.so", library)
    _write(partial / "entry.json", encode_pretty(entry))
    shutil.rmtree(place, ignore_errors=True)  # damaged or outdated: it was not believed
    partial.rename(place)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(path: Path, *, limit: float) -> Generator[bool, None, None]:
    """Hold the key's lock, or go on without it (and without storing) after `limit` seconds."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _acquire(handle, time.monotonic() + limit)
    finally:
        os.close(handle)


def _acquire(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
