"""nsys_stats: a CSV of `nsys stats`: kernels (cuda_gpu_kern_sum) or API calls (cuda_api_sum).

In: a header with units (`Total Time (ns)`, `Instances` or `Num Calls`) and a row per name.
Out: one `KernelTable`. These tables say nothing of dropped events; the report itself does.
"""

import csv
import re

from roofmark.foreign import Complete, Imported, KernelTable, Kind, Partial
from roofmark.importers.csv_text import read_table
from roofmark.importers.kernel_rows import SECONDS, Columns, kernel_row
from roofmark.importers.source import ForeignFile

_COUNTS: dict[str, Kind] = {"Instances": "gpu", "Num Calls": "api"}
_TOTAL = re.compile(r"^Total Time \((s|ms|us|ns)\)$")


def recognises(head: bytes) -> bool:
    """Whether the first line is such a header."""
    first = head.decode("utf-8-sig", "replace").splitlines()[:1]
    header = next(csv.reader(first), []) if first else []
    return (
        any(_TOTAL.match(name) for name in header)
        and any(name in header for name in _COUNTS)
        and "Name" in header
    )


def read(file: ForeignFile) -> Imported:
    """Return the table. Raises: ImportFailed RM416, RM417, RM419."""
    table = read_table(file)
    if not table.rows:
        raise file.failed("the table has no row: nothing ran on a GPU, or nothing was captured")
    columns, kind = _columns(file, list(table.rows[0][1]))
    rows = tuple(kernel_row(file, line, row, columns) for line, row in table.rows)
    return Imported(
        source=file.source("nsys_stats", "Nsight Systems"),
        completeness=Partial(reasons=table.reasons) if table.reasons else Complete(),
        contents=(KernelTable(kind=kind, rows=rows),),
        notes=(*table.notes, "Dropped events are told by the report, not by this table."),
    )


def _columns(file: ForeignFile, header: list[str]) -> tuple[Columns, Kind]:
    counts = [name for name in _COUNTS if name in header]
    if len(counts) != 1 or "Name" not in header:
        raise file.unclear("no column Instances or Num Calls", "Export it again with `nsys stats`.")
    return (
        Columns(
            name="Name",
            calls=counts[0],
            total=_timed(header, "Total Time"),
            mean=_timed(header, "Avg"),
            median=_timed(header, "Med"),
            p95=("", 1.0),
        ),
        _COUNTS[counts[0]],
    )


def _timed(header: list[str], word: str) -> tuple[str, float]:
    """Return the column that is called "word (unit)", and its unit in seconds."""
    for unit, seconds in SECONDS.items():
        if f"{word} ({unit})" in header:
            return f"{word} ({unit})", seconds
    return "", 1.0
