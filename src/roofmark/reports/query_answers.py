"""The answer to a query, for people, for spreadsheets and for programs.

In: an `Answer`, whose rows come one by one and may be millions. Out: text in pieces; only the table
for people holds rows back, and says how many it left out.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any

import msgspec

from roofmark.analysis.history import Damaged
from roofmark.reports.wording import aligned, counted, lines_text, one_line, shorten
from roofmark.terminal_text import quiet

# Chosen: more rows are not read on a terminal; --csv and --json give every one.
_MOST_ROWS = 200
# Chosen: a digest is told by its beginning, and a message's end is in the other forms.
_LONGEST = 60
# Chosen: of bundles that are not counted, so many are named; `roofmark log` names all.
_MOST_NAMED = 10

_ENCODER = msgspec.json.Encoder(enc_hook=str, decimal_format="number")

Columns = tuple[tuple[str, str], ...]
Rows = Iterator[tuple[Any, ...]]


def answer_text(columns: Columns, rows: Rows) -> str:
    """Return a table of the first rows, and how many more there are."""
    shown = [[_cell(value) for value in row] for row in islice(rows, _MOST_ROWS)]
    more = sum(1 for _ in rows)
    lines = list(aligned([_short(name) for name, _ in columns], shown))
    lines.append(counted(len(shown) + more, "row"))
    if more:
        lines[-1] += f", of which the first {len(shown)} are shown; --csv and --json give all"
    return lines_text(line.rstrip() for line in lines)


def answer_csv(columns: Columns, rows: Rows) -> Iterator[str]:
    """Yield CSV (RFC 4180): NULL is empty, lists and maps are JSON.

    CSV has no way to write a character differently: a text that a CI system would take for its
    command has a blank in it. JSON gives every text as it is.
    """
    yield _csv_line(name for name, _ in columns)
    for row in rows:
        yield _csv_line("" if value is None else _spelled(value) for value in row)


def answer_json(columns: Columns, rows: Rows, damaged: Iterable[Damaged]) -> Iterator[str]:
    """Yield one JSON object: columns, rows as lists in their order, and what is not counted.

    Dates are ISO 8601; NaN and infinities, which JSON has not, are null.
    """
    named = [{"name": name, "type": kind} for name, kind in columns]
    yield f'{{"columns": {_json(named)},\n "rows": ['
    for index, row in enumerate(rows):
        yield f"{',' if index else ''}\n  {_json(row)}"
    yield f'],\n "damaged": {_json(list(damaged))}}}\n'


def damaged_text(damaged: tuple[Damaged, ...]) -> str:
    """Return which bundles are not counted, for people who asked about the others."""
    lines = [f"{counted(len(damaged), 'bundle')} not counted:"]
    lines += [f"  {one_line(d.name)}: {_short(d.reason, 200)}" for d in damaged[:_MOST_NAMED]]
    if len(damaged) > _MOST_NAMED:
        lines.append(f"  ... and {len(damaged) - _MOST_NAMED} more; roofmark log names each")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"{value:.6g}" if isinstance(value, float) else _short(_spelled(value))


def _short(text: str, length: int = _LONGEST) -> str:
    return shorten(one_line(text), length)


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return repr(value) if isinstance(value, float) else _json(value)


def _json(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def _csv_line(values: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([quiet(each) for each in values])
    return text.getvalue()
