"""Filling: a copy of the tables, brought up to date with rows of bundles.

In: packed rows (rows.py), and in the end which bundles lie where. Out: a DuckDB file. Nothing is
copied or made before there is something to change.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.querying.rows import unpack_rows
from roofmark.querying.schema import TABLES

# Chosen: so many bytes of rows are added at once; with less, one waits for files and transactions.
_BATCH = 16 * 1024 * 1024
# Chosen: what a laptop has to spare; what needs more while filling goes to the temporary folder.
MEMORY = "1GiB"
# Source: no record is larger (records.MAX_RECORD_BYTES), and escapes can double a text.
_LONGEST_LINE = 2**27
_VISITS = (
    "STRUCT(block BIGINT, position BIGINT, seconds DOUBLE[], calls BIGINT, start DOUBLE, "
    "discarded VARCHAR[])[]"
)
_SAMPLES = """
INSERT INTO samples BY NAME
SELECT * EXCLUDE (v, i), v.block AS block, v.position AS position, i - 1 AS sample,
    v.seconds[i] AS seconds, v.calls AS calls, v.start AS start, v.discarded[i] AS discarded
FROM (SELECT *, unnest(range(1, len(v.seconds) + 1)) AS i
FROM (SELECT * EXCLUDE visits, unnest(visits) AS v FROM {lines}))
"""
_OF_VISITS = ("block", "position", "sample", "seconds", "calls", "start", "discarded")


def load_duckdb() -> ModuleType:
    """Return the module. Raises: BundleError RM470 where it is not installed."""
    try:
        import duckdb
    except ImportError as error:
        mend = 'pip install "roofmark[query]"'
        raise BundleError(problem("RM470", "DuckDB is not installed", "query", mend)) from error
    return duckdb


class Filling:
    """Tables that are being changed. refused: bundle -> why its rows could not be added."""

    def __init__(self, path: Path, base: Path | None) -> None:
        """Write to `path`, which is not there yet, beginning with a copy of `base`."""
        self.refused: dict[str, str] = {}
        self._path, self._base = path, base
        self._batch: list[tuple[str, bytes]] = []
        self._waiting = 0
        self._connection: Any = None

    @property
    def begun(self) -> bool:
        """Whether anything was changed."""
        return self._connection is not None

    def add(self, bundle: str, packed: bytes) -> None:
        """Add the rows of one bundle, with the next ones."""
        self._batch.append((bundle, packed))
        self._waiting += len(packed)
        if self._waiting > _BATCH:
            self.flush()

    def flush(self) -> None:
        """Add what waits. A bundle whose rows no table can hold is refused, not the others."""
        batch, self._batch, self._waiting = self._batch, [], 0
        if batch:
            self._insert(batch)

    def finish(self, paths: Mapping[str, str]) -> None:
        """Take away the bundles that are not named, say where the others lie, and close."""
        connection = self._open()
        rows = [{"bundle": bundle, "path": path} for bundle, path in paths.items()]
        types = {"bundle": "VARCHAR", "path": "VARCHAR"}
        lines = self._lines(msgspec.json.Encoder().encode_lines(rows), "here", types)
        connection.execute(f"CREATE TEMP TABLE here AS SELECT * FROM {lines}")
        for table in TABLES:
            connection.execute(f"DELETE FROM {table} WHERE bundle NOT IN (SELECT bundle FROM here)")
        connection.execute(
            "UPDATE studies SET path = here.path FROM here WHERE studies.bundle = here.bundle "
            "AND studies.path IS DISTINCT FROM here.path"
        )
        connection.execute("CHECKPOINT")
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> Any:
        if self._connection is None:
            if self._base is not None:
                shutil.copyfile(self._base, self._path)
            self._connection = load_duckdb().connect(str(self._path))
            self._connection.execute(f"SET memory_limit = '{MEMORY}'")
            if self._base is None:
                for name, table in TABLES.items():
                    columns = ", ".join(f'"{c.name}" {c.type}' for c in table.columns)
                    self._connection.execute(f"CREATE TABLE {name} ({columns})")
        return self._connection

    def _insert(self, batch: Sequence[tuple[str, bytes]]) -> None:
        connection, duckdb = self._open(), load_duckdb()
        unpacked = [unpack_rows(packed) for _, packed in batch]
        connection.execute("BEGIN")
        try:
            for table in TABLES:
                self._fill(table, b"".join(each[table] for each in unpacked))
            connection.execute("COMMIT")
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            connection.execute("ROLLBACK")
            if len(batch) == 1:
                self.refused[batch[0][0]] = f"a value fits no table: {error}"
                return
            for each in batch:
                self._insert([each])

    def _fill(self, table: str, rows: bytes) -> None:
        types = {c.name: c.type for c in TABLES[table].columns if c.name != "path"}
        insert = f"INSERT INTO {table} BY NAME FROM {{lines}}"
        if table == "samples":
            insert = _SAMPLES
            types = {n: t for n, t in types.items() if n not in _OF_VISITS} | {"visits": _VISITS}
        self._connection.execute(insert.format(lines=self._lines(rows, table, types)))

    def _lines(self, rows: bytes, name: str, types: Mapping[str, str]) -> str:
        """Write JSON lines and return the table function that reads them."""
        file = self._path.with_name(f"{name}.jsonl")
        file.write_bytes(rows)
        columns = ", ".join(f"'{column}': '{kind}'" for column, kind in types.items())
        options = f"format = 'newline_delimited', maximum_object_size = {_LONGEST_LINE}"
        quoted = str(file).replace("'", "''")
        return f"read_json('{quoted}', columns = {{{columns}}}, {options})"
