"""kernel_csv: a table of kernels as harnesses write it: symbol, calls, mean, percentiles, total.

In: a header such as `config_id,kernel_symbol,n_calls,mean_us,p50_us,p95_us,total_ms`, whose columns
of times end in their unit. Out: a `KernelTable` for each configuration, in the order of the file.
"""

import csv

from roofmark.foreign import Complete, Imported, KernelTable, Partial
from roofmark.importers.csv_text import read_table
from roofmark.importers.kernel_rows import SECONDS, Columns, kernel_row
from roofmark.importers.reported import plain
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_NAMES = ("kernel_symbol", "kernel_name", "kernel", "symbol", "name")
_CALLS = ("n_calls", "calls", "count", "instances", "launches", "num_calls")
_GROUPS = ("config_id", "config", "leg", "label")
_MEDIANS = ("p50", "median", "med")
# Chosen: an experiment has a handful of legs; a column with more is no configuration.
_MOST_GROUPS = 100


def recognises(head: bytes) -> bool:
    """Whether the first line names a kernel, its calls and a total or a mean."""
    first = head.decode("utf-8-sig", "replace").splitlines()[:1]
    header = next(csv.reader(first), []) if first else []
    return bool(
        _first(header, _NAMES)
        and _first(header, _CALLS)
        and (_timed(header, ("total",))[0] or _timed(header, ("mean", "avg"))[0])
    )


def read(file: ForeignFile) -> Imported:
    """Return a table per configuration. Raises: ImportFailed RM416, RM417, RM418, RM419."""
    table = read_table(file)
    if not table.rows:
        raise file.failed("the table has no row: nothing was captured")
    header = list(table.rows[0][1])
    columns = Columns(
        name=_first(header, _NAMES),
        calls=_first(header, _CALLS),
        total=_timed(header, ("total",)),
        mean=_timed(header, ("mean", "avg")),
        median=_timed(header, _MEDIANS),
        p95=_timed(header, ("p95",)),
    )
    if not (columns.name and columns.calls and (columns.total[0] or columns.mean[0])):
        raise file.unclear(
            f"columns {', '.join(header)[:200]} name no kernel, calls and times with a unit",
            "Name them kernel_symbol, n_calls and total_ms.",
        )
    group = _first(header, _GROUPS)
    tables: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, row in table.rows:
        tables.setdefault(row[group] if group else "", []).append((line, row))
        if len(tables) > _MOST_GROUPS:
            raise file.unclear(
                f"column {group!r} has over {_MOST_GROUPS} values", "Split the file."
            )
    return Imported(
        source=file.source("kernel_csv", Missing(reason="the file names no tool")),
        completeness=Partial(reasons=table.reasons) if table.reasons else Complete(),
        contents=tuple(
            KernelTable(
                kind="gpu",
                rows=tuple(kernel_row(file, n, row, columns) for n, row in rows),
                name=plain(name, 100),
            )
            for name, rows in tables.items()
        ),
        notes=(*table.notes, *((f"tables: {', '.join(tables)}"[:300],) if group else ())),
    )


def _first(header: list[str], names: tuple[str, ...]) -> str:
    return next((name for name in header if name.strip().lower() in names), "")


def _timed(header: list[str], words: tuple[str, ...]) -> tuple[str, float]:
    """Return the column that is called "word_unit", and its unit in seconds."""
    for name in header:
        word, _, unit = name.strip().lower().rpartition("_")
        if word in words and unit in SECONDS:
            return name, SECONDS[unit]
    return "", 1.0
