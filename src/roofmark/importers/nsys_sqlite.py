"""nsys_sqlite: the SQLite file that Nsight Systems exports.

In: the tables of kernels, CUDA graphs, copies, fills and CUDA calls, their names, the diagnostics.
Out: tables of kernels, of copies, and of CUDA calls. A graph that was recorded as one span is a row
among the kernels, since it is time of the device; that its kernels are unknown makes it Partial,
and so do diagnostics that speak of dropped or incomplete events.

The file is a stranger's: it is opened read-only and immutable, for a bounded time, and nothing in
it is computed. A view or a generated column may hold a function that runs for hours between two
looks at the clock, so such a table is refused.
"""

import re
import sqlite3
import time
from array import array
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import Imported, KernelTable, Kind
from roofmark.importers.kernel_rows import row_of_calls
from roofmark.importers.reported import completeness
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_MAGIC = b"SQLite format 3\x00"
_LOST = re.compile(r"drop|incomplete|lost|missing|not collected|truncat", re.IGNORECASE)
_LOST_NONE = re.compile(r"(?:dropped|lost|missing|truncated):\s*0\.?(?:\s|$)", re.IGNORECASE)


@dataclass(frozen=True)
class _Activity:
    """A table of spans: what tells its rows apart, which table names that, how it is shown."""

    kind: Kind
    table: str
    label: str
    names: str
    shown: str


# Source: Nsight Systems user guide, "SQLite Schema Reference".
_ACTIVITIES = (
    _Activity("gpu", "CUPTI_ACTIVITY_KIND_KERNEL", "k.demangledName", "StringIds", "{}"),
    _Activity("gpu", "CUPTI_ACTIVITY_KIND_GRAPH_TRACE", "k.graphId", "", "[CUDA graph {}]"),
    _Activity(
        "copies",
        "CUPTI_ACTIVITY_KIND_MEMCPY",
        "k.copyKind",
        "ENUM_CUDA_MEMCPY_OPER",
        "[CUDA memcpy {}]",
    ),
    _Activity("copies", "CUPTI_ACTIVITY_KIND_MEMSET", "''", "", "[CUDA memset]"),
    _Activity("api", "CUPTI_ACTIVITY_KIND_RUNTIME", "k.nameId", "StringIds", "{}"),
)
_NAMES = {"StringIds": "value", "ENUM_CUDA_MEMCPY_OPER": "label"}
_WANTED = {"DIAGNOSTIC_EVENT", "META_DATA_EXPORT", *_NAMES} | {each.table for each in _ACTIVITIES}
# Chosen: an export of 3 MB takes a tenth of a second; what takes a minute was not exported.
_STEPS, _MOST_SECONDS = 10_000, 60.0
# Chosen: a symbol's name is some thousand characters; the rest of a value is nobody's.
_LONGEST_VALUE = 1 << 20
_MOST_ROWS = 50_000_000
_LONGEST_NAME = 4000


def recognises(head: bytes) -> bool:
    """Whether it is an SQLite file; `read` tells whether it is one of Nsight Systems."""
    return head.startswith(_MAGIC)


def read(file: ForeignFile) -> Imported:
    """Return the tables. Raises: ImportFailed RM416, RM417, RM418, RM419."""
    if file.packed:
        raise file.malformed("gzip: unpack the SQLite file first")
    try:
        with closing(_open(file.path)) as database:
            return _read(file, database)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise _too_large(file, f"reading takes more than {_MOST_SECONDS:g} s") from error
        raise file.malformed(f"SQLite: {str(error)[:200]}") from error
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


def _authorise(action: int, *about: str | None) -> int:
    """Allow to read tables and to list columns; nothing through a view, and no function."""
    allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and about[-1] is None)
        or (action == sqlite3.SQLITE_PRAGMA and about[0] == "table_xinfo")
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _read(file: ForeignFile, database: sqlite3.Connection) -> Imported:
    tables = _plain_tables(file, database)
    present = [each for each in _ACTIVITIES if each.table in tables]
    if not present:
        raise file.unclear(
            f"no tables of a CUDA trace; there are {', '.join(sorted(tables))[:200] or 'none'}",
            "Export it with `nsys export --type sqlite`, of a run with --trace cuda.",
        )
    reasons = _diagnostics(database) if "DIAGNOSTIC_EVENT" in tables else []
    took: dict[Kind, dict[str, array[float]]] = {"gpu": {}, "copies": {}, "api": {}}
    for each in present:
        names = _names(file, database, each) if each.names in tables else {}
        reasons += _gather(file, database, each, names, took[each.kind])
    contents = [_table(kind, calls) for kind, calls in took.items() if calls]
    if not contents:
        raise file.failed("; ".join(("no kernel and no CUDA call was recorded", *reasons)))
    return Imported(
        source=file.source("nsys_sqlite", _version(database, tables)),
        completeness=completeness(reasons),
        contents=tuple(contents),
        notes=()
        if "DIAGNOSTIC_EVENT" in tables
        else ("The export has no diagnostics, so dropped events would not show.",),
    )


def _plain_tables(file: ForeignFile, database: sqlite3.Connection) -> set[str]:
    """Return which tables there are. Raises: ImportFailed RM416 where one computes what it gives.

    What is not read may be anything.
    """
    found: set[str] = set()
    for name, kind, page in database.execute("SELECT name, type, rootpage FROM sqlite_master"):
        if kind not in ("table", "view"):
            continue
        found.add(str(name))
        if name not in _WANTED:
            continue
        if kind == "view" or not page:
            raise file.malformed(f"{name} is a view or a virtual table: an export has plain ones")
        for column in database.execute(f"PRAGMA table_xinfo({name})"):
            if column[-1]:
                raise file.malformed(f"{name}: column {str(column[1])[:60]!r} is generated")
    return found


def _names(
    file: ForeignFile, database: sqlite3.Connection, activity: _Activity
) -> dict[object, str]:
    """Return the names that this table's rows refer to, by number."""
    found: dict[object, str] = {}
    query = (
        f"SELECT n.id, n.{_NAMES[activity.names]} FROM {activity.names} n "
        f"WHERE n.id IN (SELECT {activity.label} FROM {activity.table} k)"
    )
    for key, name in database.execute(query):
        if not isinstance(name, str):
            raise file.malformed(f"{activity.names}, number {str(key)[:40]}: the name is no text")
        if found.setdefault(key, name[:_LONGEST_NAME]) != name[:_LONGEST_NAME]:
            raise file.malformed(f"{activity.names}: two names have the number {str(key)[:40]}")
    return found


def _gather(
    file: ForeignFile,
    database: sqlite3.Connection,
    activity: _Activity,
    names: dict[object, str],
    took: "dict[str, array[float]]",
) -> list[str]:
    """Add the durations of one table by name; return what is known to be absent."""
    query = f'SELECT {activity.label}, k.start, k."end" FROM {activity.table} k'
    untimed = count = 0
    for count, (key, start, end) in enumerate(database.execute(query), 1):
        place = f"{activity.table}, row {count}"
        if count > _MOST_ROWS:
            raise _too_large(file, f"{activity.table}: more than {_MOST_ROWS:,} rows")
        if not (isinstance(start, int) and isinstance(end, int) and start <= end):
            raise file.malformed(f"{place}: {start!r:.40} to {end!r:.40} is no duration")
        if activity.names == "StringIds" and key not in names:
            raise file.malformed(f"{place}: its name is not in StringIds")
        # Source: CUPTI, its activity records: start and end are 0 where no time was collected.
        if start == end == 0:
            untimed += 1
            continue
        name = activity.shown.format(names.get(key, str(key)[:40]))
        took.setdefault(name, array("d")).append(end - start)
    reasons = [f"{untimed:,} of {count:,} rows of {activity.table} have no time"] * (untimed > 0)
    if count and activity.table.endswith("GRAPH_TRACE"):
        reasons.append(
            f"{count:,} launches of CUDA graphs were recorded as one span each, without their "
            "kernels: capture with --cuda-graph-trace=node to see them"
        )
    return reasons


def _table(kind: Kind, took: "dict[str, array[float]]") -> KernelTable:
    rows = [row_of_calls(name, calls, 1e-9) for name, calls in took.items()]
    return KernelTable(kind=kind, rows=tuple(sorted(rows, key=lambda row: -row.total)))


def _diagnostics(database: sqlite3.Connection) -> list[str]:
    """Return what the tool says of lost events, each sentence once."""
    said = [str(text)[:300] for (text,) in database.execute("SELECT text FROM DIAGNOSTIC_EVENT")]
    lost = [text for text in said if _LOST.search(text) and not _LOST_NONE.search(text)]
    return list(dict.fromkeys(lost))[:20]


def _version(database: sqlite3.Connection, tables: set[str]) -> str | Missing:
    if "META_DATA_EXPORT" in tables:
        rows = database.execute("SELECT name, value FROM META_DATA_EXPORT")
        for name, value in rows:
            if name == "EXPORT_PRODUCT_VERSION" or name == "EXPORT_VERSION_STRING":
                return f"Nsight Systems {str(value)[:80]}"
    return "Nsight Systems"


def _too_large(file: ForeignFile, fact: str) -> ImportFailed:
    mend = "Capture or export a shorter time."
    return ImportFailed(problem("RM417", fact, str(file.path), mend))
