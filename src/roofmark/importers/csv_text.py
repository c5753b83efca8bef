"""CSV text: rows of a foreign table by column name, with what a cut or damaged file lost.

In: a foreign file. Out: rows with their line numbers, and reasons. A last row that is too short is
what a stopped tool leaves; any other row of the wrong length is damage.
"""

import csv
from dataclasses import dataclass

from roofmark.importers.reported import MOST_ROWS, too_many
from roofmark.importers.source import ForeignFile

# Chosen: summaries of benchmarks have some hundred rows; 64 MiB are a million of them.
LARGEST_CSV = 1 << 26


@dataclass(frozen=True)
class Table:
    """Rows by column name, each with its line, what is absent, and doubts."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_table(file: ForeignFile) -> Table:
    """Return all rows. Raises: ImportFailed RM416 for damage, RM417."""
    text = file.text(limit=LARGEST_CSV)
    lines = text.split("\n")
    reader = csv.reader((line.rstrip("\r") for line in lines), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    last = len(lines) if lines[-1] else len(lines) - 1
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) != len(header):
            raise file.malformed("line 1: a column stands twice in the header")
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            if len(rows) >= MOST_ROWS:
                raise too_many(file, "rows")
            if len(row) != len(header):
                if reader.line_num >= last and len(row) < len(header):
                    return Table(tuple(rows), (f"line {reader.line_num}: the file ends within it",))
                raise file.malformed(
                    f"line {reader.line_num} has {len(row)} fields; the header has {len(header)}"
                )
            rows.append((reader.line_num, dict(zip(header, row, strict=True))))
    except csv.Error as error:
        if reader.line_num >= last and rows:
            return Table(tuple(rows), (f"line {reader.line_num}: the file ends within a field",))
        raise file.malformed(f"line {reader.line_num}: {error}") from error
    # A number that was cut still reads as one: only the line's end tells that it is whole.
    whole = not lines[-1].strip()
    doubt = f"line {last}: no line end follows, so its last field may be cut"
    return Table(tuple(rows), (), () if whole else (doubt,))
