"""nsys_sqlite: the SQLite file that Nsight Systems exports.

In: CUPTI_ACTIVITY_KIND_KERNEL, _RUNTIME, StringIds, DIAGNOSTIC_EVENT. Out: tables of kernels and of
CUDA calls. Diagnostics that speak of dropped or incomplete events make it Partial. The file is
opened read-only and immutable, may only be read, and for a bounded time: what it calls a column may
be an expression that never ends.
"""

import math
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import fmean, median, quantiles
from urllib.parse import quote

from roofmark.foreign import Complete, Imported, KernelRow, KernelTable, Kind, Partial
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_MAGIC = b"SQLite format 3\x00"
_LOST = re.compile(r"drop|incomplete|lost|missing|not collected|truncat", re.IGNORECASE)
_TABLES: dict[Kind, tuple[str, str]] = {
    "gpu": ("CUPTI_ACTIVITY_KIND_KERNEL", "demangledName"),
    "api": ("CUPTI_ACTIVITY_KIND_RUNTIME", "nameId"),
}
# Chosen: an export of 3 MB takes a tenth of a second; what takes a minute was not exported.
_STEPS, _MOST_SECONDS = 10_000, 60.0
# Chosen: a symbol's name is some thousand characters; the rest of a value is nobody's.
_LONGEST_VALUE = 1 << 20
_MOST_ROWS = 50_000_000
_LONGEST_NAME = 4000
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
}


def recognises(head: bytes) -> bool:
    """Whether it is an SQLite file; `read` tells whether it is one of Nsight Systems."""
    return head.startswith(_MAGIC)


def read(file: ForeignFile) -> Imported:
    """Return the tables. Raises: ImportFailed RM416, RM418, RM419."""
    if file.packed:
        raise file.malformed("gzip: unpack the SQLite file first")
    try:
        with closing(_open(file.path)) as database:
            return _read(file, database)
    except (sqlite3.Error, OverflowError, UnicodeDecodeError, ValueError) as error:
        raise file.malformed(f"SQLite: {str(error)[:200]}") from error


def _open(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    database = sqlite3.connect(uri, uri=True)
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA cell_size_check=ON")
    database.text_factory = _decode
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    end = time.monotonic() + _MOST_SECONDS
    database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    database.set_authorizer(_authorise)
    return database


def _decode(data: bytes) -> str:
    return data.decode(errors="replace")


def _authorise(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _read(file: ForeignFile, database: sqlite3.Connection) -> Imported:
    tables = {
        str(name)
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if "StringIds" not in tables or not any(name in tables for name, _ in _TABLES.values()):
        raise file.unclear(
            f"no tables of a CUDA trace; there are {', '.join(sorted(tables))[:200] or 'none'}",
            "Export it with `nsys export --type sqlite`, of a run with --trace cuda.",
        )
    contents = [
        table
        for kind, (name, label) in _TABLES.items()
        if name in tables and (table := _table(file, database, kind, name, label)).rows
    ]
    reasons = _diagnostics(database) if "DIAGNOSTIC_EVENT" in tables else ()
    if not contents:
        raise file.failed("; ".join(("no kernel and no CUDA call was recorded", *reasons)))
    return Imported(
        source=file.source("nsys_sqlite", _version(database, tables)),
        completeness=Partial(reasons=reasons) if reasons else Complete(),
        contents=tuple(contents),
        notes=()
        if "DIAGNOSTIC_EVENT" in tables
        else ("The export has no diagnostics, so dropped events would not show.",),
    )


def _table(
    file: ForeignFile, database: sqlite3.Connection, kind: Kind, name: str, label: str
) -> KernelTable:
    durations: dict[str, list[float]] = {}
    query = (
        f'SELECT s.value, k."end" - k.start FROM "{name}" k '
        f'LEFT JOIN StringIds s ON s.id = k."{label}"'
    )
    for count, (symbol, took) in enumerate(database.execute(query)):
        if count > _MOST_ROWS:
            raise file.malformed(f"{name}: more than {_MOST_ROWS} rows")
        if not isinstance(took, int | float) or not 0 <= took < math.inf:
            raise file.malformed(f"{name}, row {count + 1}: {str(took)[:40]!r} is no duration")
        if not isinstance(symbol, str):
            raise file.malformed(f"{name}, row {count + 1}: its name is not in StringIds")
        durations.setdefault(symbol[:_LONGEST_NAME], []).append(float(took))
    rows = sorted(_rows(durations), key=lambda row: -row.total)
    return KernelTable(kind=kind, rows=tuple(rows))


def _rows(durations: dict[str, list[float]]) -> Iterator[KernelRow]:
    for name, took in durations.items():
        tail = quantiles(took, n=20, method="inclusive")[-1] if len(took) > 1 else took[0]
        yield KernelRow(
            name=name,
            calls=len(took),
            total=math.fsum(took) * 1e-9,
            mean=fmean(took) * 1e-9,
            median=median(took) * 1e-9,
            p95=tail * 1e-9,
        )


def _diagnostics(database: sqlite3.Connection) -> tuple[str, ...]:
    """Return what the tool says of lost events, each sentence once."""
    said = [str(text) for (text,) in database.execute("SELECT text FROM DIAGNOSTIC_EVENT")]
    return tuple(dict.fromkeys(text[:300] for text in said if _LOST.search(text)))[:20]


def _version(database: sqlite3.Connection, tables: set[str]) -> str | Missing:
    if "META_DATA_EXPORT" in tables:
        rows = database.execute("SELECT name, value FROM META_DATA_EXPORT")
        for name, value in rows:
            if name == "EXPORT_PRODUCT_VERSION" or name == "EXPORT_VERSION_STRING":
                return f"Nsight Systems {str(value)[:80]}"
    return "Nsight Systems"
