"""The index: what judging a bundle gave, by the digest of its manifest. A cache and never evidence.

In: digests and stamps. Out: summaries and verdicts. One SQLite file per version of roofmark and of
its plugins: several processes may use it at once, a kill leaves what was committed, and it can be
deleted at any time. An index that cannot be read is made anew; one that cannot be written costs
time and nothing else.
"""

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from roofmark import __version__
from roofmark.analysis.comparable import Conditions
from roofmark.analysis.rules import loaded_plugins
from roofmark.analysis.summaries import RunSummary
from roofmark.analysis.verdict import Verdict
from roofmark.records import digest

# Raised whenever a summary or a verdict gets other fields or other arithmetic.
FORMAT = 2
# Chosen: longer than another process takes to commit its share.
_PATIENCE = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS seen (place TEXT PRIMARY KEY, stamp TEXT, bundle TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conditions (id TEXT PRIMARY KEY, record BLOB);
CREATE TABLE IF NOT EXISTS kept
    (bundle TEXT PRIMARY KEY, summary BLOB, conditions TEXT, verdict BLOB);
"""
_SEEN = "SELECT place, stamp, bundle FROM seen WHERE place = ? OR (place > ? AND place < ?)"
_SUMMARY = "SELECT summary, conditions FROM kept WHERE bundle = ?"
_CONDITIONS = "SELECT record FROM conditions WHERE id = ?"
_KEPT = """
SELECT kept.bundle, summary, record, verdict
FROM kept JOIN conditions ON kept.conditions = id WHERE kept.bundle = ?
"""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """What judging one bundle gave, packed: summary (its conditions apart) and verdict."""

    bundle: str
    summary: bytes
    conditions: bytes
    verdict: bytes


def pack(summary: RunSummary, verdict: Verdict) -> Kept:
    """Pack what is kept of a bundle. Conditions are those of most bundles, so they stand apart."""
    encode = msgspec.json.encode
    return Kept(
        bundle=summary.bundle,
        summary=encode(replace(summary, conditions=_NONE)),
        conditions=encode(summary.conditions),
        verdict=zlib.compress(encode(verdict), level=1),
    )


def unpack_summary(kept: Kept) -> RunSummary:
    """Return the summary of what was kept. Raises: ValueError for what is none."""
    conditions = msgspec.json.decode(kept.conditions, type=Conditions)
    return replace(msgspec.json.decode(kept.summary, type=RunSummary), conditions=conditions)


def unpack_verdict(packed: bytes) -> Verdict:
    """Return a verdict. Raises: ValueError for what is none."""
    try:
        return msgspec.json.decode(zlib.decompress(packed), type=Verdict)
    except zlib.error as error:
        raise ValueError(str(error)) from error


class Index:
    """The index in one folder; use it in the process that made it."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it. A folder that cannot be written gives an index in memory."""
        self.folder = folder
        self._path = folder / "index.sqlite"
        self._connection = self._open()

    def __enter__(self) -> "Index":
        """Return itself; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._connection.close()

    def trusted(self, base: str, stamps: Mapping[str, str]) -> dict[str, str]:
        """Return place -> digest of the bundles whose files are as they were when it was taken."""
        # "0" follows "/" in every encoding that paths are written in.
        rows = self._ask(_SEEN, base, f"{base}/", f"{base}0")
        return {
            place: bundle for place, stamp, bundle in rows if stamp and stamps.get(place) == stamp
        }

    def summaries(self, bundles: Iterable[str]) -> dict[str, RunSummary]:
        """Return the summaries that are kept, by digest; bundles share what they have in common."""
        decoder = msgspec.json.Decoder(RunSummary)
        shared: dict[str, Conditions] = {}
        found: dict[str, RunSummary] = {}
        for bundle in bundles:
            for record, name in self._ask(_SUMMARY, bundle):
                with contextlib.suppress(msgspec.DecodeError):
                    if name not in shared:
                        ((conditions,),) = self._ask(_CONDITIONS, name) or ((b"",),)
                        shared[name] = msgspec.json.decode(conditions, type=Conditions)
                    found[bundle] = replace(decoder.decode(record), conditions=shared[name])
        return found

    def kept(self, bundle: str) -> Kept | None:
        """Return what is kept of one bundle."""
        rows = self._ask(_KEPT, bundle)
        return Kept(*rows[0]) if rows else None

    def keep(self, kept: Iterable[Kept], seen: Iterable[tuple[str, str, str]]) -> None:
        """Keep results, and (place, stamp, digest) of what was read, in one transaction."""

        def write() -> None:
            with self._connection as write:
                for each in kept:
                    name = digest(each.conditions)
                    write.execute(
                        "INSERT OR IGNORE INTO conditions VALUES (?, ?)", (name, each.conditions)
                    )
                    row = (each.bundle, each.summary, name, each.verdict)
                    write.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", row)
                write.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", seen)

        # A full disk, or a process that holds it for long: the next one judges again.
        with contextlib.suppress(sqlite3.Error):
            self._once_more(write)

    def _ask(self, sql: str, *values: str) -> list[Any]:
        try:
            return self._once_more(lambda: self._connection.execute(sql, values).fetchall())
        except sqlite3.Error:
            return []

    def _once_more(self, do: Callable[[], T]) -> T:
        """Do it; if the file turns out to be damaged, do it again with a new one."""
        try:
            return do()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._connection.close()
            self._connection = self._anew()
            return do()

    def _open(self) -> sqlite3.Connection:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self._connect(str(self._path))
        except sqlite3.OperationalError:
            return self._connect(":memory:")
        except sqlite3.DatabaseError:
            return self._anew()
        except OSError:
            return self._connect(":memory:")

    def _anew(self) -> sqlite3.Connection:
        try:
            for each in (self._path, self._path.with_name(self._path.name + "-journal")):
                each.unlink(missing_ok=True)
            return self._connect(str(self._path))
        except (OSError, sqlite3.Error):
            return self._connect(":memory:")

    def _connect(self, path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_PATIENCE)
        try:
            connection.executescript(_TABLES)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def cache_folder() -> Path:
    """Return where the user's indexes are; another version or another plugin has its own."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    which = digest(f"{FORMAT} {__version__} {sorted(loaded_plugins().items())}".encode())[:16]
    return Path(base).expanduser() / "roofmark" / "history" / which


_NONE = Conditions(
    question={},
    workloads=(),
    definition="",
    files={},
    references=(),
    model={},
    circumstances={},
    ceilings={},
)
