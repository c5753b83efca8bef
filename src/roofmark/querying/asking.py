"""Asking: one SELECT, in a database that can read its own tables and nothing else.

In: the file with the tables, and SQL, which may be anybody's. Out: an `Answer`, row by row. The
file is opened for reading; files, other databases, extensions and the network are closed, and the
configuration that closes them is locked before the SQL is looked at.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roofmark.analysis.history import Damaged
from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.querying.filling import MEMORY, load_duckdb
from roofmark.querying.schema import TABLES

# Source: DuckDB's documentation, "Securing DuckDB". Without a temporary folder a query that needs
# more memory than there is ends with an error. The lock comes last.
CLOSED = (
    f"SET memory_limit = '{MEMORY}'",
    "SET temp_directory = ''",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET allow_persistent_secrets = false",
    "SET enable_external_access = false",
    "SET TimeZone = 'UTC'",
    "SET lock_configuration = true",
)
# Chosen: a few hundred kilobytes of most tables.
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives. columns: (name, type). damaged: bundles that are not counted."""

    columns: tuple[tuple[str, str], ...]
    rows: Iterator[tuple[Any, ...]]
    damaged: tuple[Damaged, ...]


@contextmanager
def ask(file: Path, sql: str, damaged: Sequence[Damaged] = ()) -> Generator[Answer]:
    """Yield the answer to one SELECT.

    Raises: StudyError RM472 for SQL that cannot be answered, RM473 for SQL that does more than
        read; while rows are drawn, too.
    """
    duckdb = load_duckdb()
    with duckdb.connect(str(file), read_only=True) as connection:
        for setting in CLOSED:
            connection.execute(setting)
        try:
            connection.execute(_only_select(duckdb, connection, sql))
            columns = tuple((name, str(kind)) for name, kind, *_ in connection.description)
            yield Answer(columns, _rows(duckdb, connection, sql), tuple(damaged))
        except duckdb.Error as error:
            raise _told(duckdb, error, sql) from error


def _only_select(duckdb: Any, connection: Any, sql: str) -> Any:
    """Return the statement. Raises: StudyError RM473 unless it is exactly one SELECT."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise StudyError(problem("RM472", "there is no SQL in it", repr(sql), _KNOWN))
    for each in statements:
        if each.type != duckdb.StatementType.SELECT:
            raise _more_than_read(f"{each.type.name} is not SELECT", sql)
    if len(statements) > 1:
        raise _more_than_read(f"there are {len(statements)} statements", sql)
    return statements[0]


def _rows(duckdb: Any, connection: Any, sql: str) -> Iterator[tuple[Any, ...]]:
    try:
        while rows := connection.fetchmany(_ROWS_AT_ONCE):
            yield from rows
    except duckdb.Error as error:
        raise _told(duckdb, error, sql) from error


# --- errors --------------------------------------------------------------------------------------
_KNOWN = f"Tables: {', '.join(TABLES)}. Their columns: roofmark query --schema."


def _told(duckdb: Any, error: Exception, sql: str) -> StudyError:
    """Turn what DuckDB says into a problem that names what exists."""
    fact, _, rest = str(error).partition("\n\n")
    line = re.search(r"LINE \d+: .*", rest, re.DOTALL)
    where = line.group().strip("\n") if line else sql
    if isinstance(error, duckdb.PermissionException):
        return StudyError(problem("RM473", _one(fact), where, _KNOWN))
    if isinstance(error, duckdb.OutOfMemoryException):
        fact = f"the query needs more memory than {MEMORY}"
        return StudyError(problem("RM472", fact, where, "Ask for less: WHERE, GROUP BY, LIMIT."))
    mend = _columns(sql) if isinstance(error, duckdb.BinderException) else _KNOWN
    return StudyError(problem("RM472", _one(fact), where, mend))


def _one(text: str) -> str:
    return " ".join(text.split())


def _columns(sql: str) -> str:
    """Return the columns of the tables that the SQL names, or the tables."""
    words = set(re.findall(r"\w+", sql.lower()))
    named = [name for name in TABLES if name in words]
    lines = [f"{name}: {', '.join(c.name for c in TABLES[name].columns)}" for name in named]
    return "\n  ".join(["Columns of", *lines]) if lines else _KNOWN


def _more_than_read(fact: str, sql: str) -> StudyError:
    return StudyError(problem("RM473", fact, sql, "Write one SELECT; WITH may come before it."))
