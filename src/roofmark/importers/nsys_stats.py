"""nsys_stats: a CSV of `nsys stats`: kernels (cuda_gpu_kern_sum) or API calls (cuda_api_sum).

In: a header with units (`Total Time (ns)`, `Instances` or `Num Calls`) and a row per name.
Out: one `KernelTable`. These tables say nothing of dropped events; the report itself does. Shares
that do not add up to 100 % tell that rows were taken away or added. Summaries of other calls that
have the same header are refused.
"""

import csv
import re

from roofmark.foreign import Imported, KernelTable, Kind
from roofmark.importers.csv_text import read_table
from roofmark.importers.kernel_rows import SECONDS, Columns, kernel_row, last_digit
from roofmark.importers.reported import completeness
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

_COUNTS: dict[str, Kind] = {"Instances": "gpu", "Num Calls": "api"}
# Old versions write it without a space.
_SHARES = ("Time (%)", "Time(%)")
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
    if kind == "api" and not any(row.name.startswith("cu") for row in rows):
        raise file.unclear(
            f"none of its calls is CUDA's; the first is {rows[0].name[:60]!r}",
            "Export the report cuda_api_sum; osrt_sum has the same columns.",
        )
    return Imported(
        source=file.source("nsys_stats", "Nsight Systems"),
        completeness=completeness([*table.reasons, *_doubts([row for _, row in table.rows])]),
        contents=(KernelTable(kind=kind, rows=rows),),
        notes=(*table.notes, "Dropped events are told by the report, not by this table."),
    )


def _columns(file: ForeignFile, header: list[str]) -> tuple[Columns, Kind]:
    counts = [name for name in _COUNTS if name in header]
    if len(counts) != 1 or "Name" not in header:
        raise file.unclear("no column Instances or Num Calls", "Export it again with `nsys stats`.")
    if "Source" in header:  # Source: Nsight Systems user guide, report mpi_event_sum
        raise file.unclear("column Source: events of MPI", "Export the report cuda_gpu_kern_sum.")
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


def _doubts(rows: list[dict[str, str]]) -> list[str]:
    """Return why the shares, each rounded to its last digit, are not those of a whole table."""
    column = next((name for name in _SHARES if name in rows[0]), "")
    if not column:
        return []
    shares = [number(row[column]) for row in rows]
    unknown = sum(isinstance(share, Missing) for share in shares)
    if unknown:
        return [f"{unknown} rows have no share, so absent rows would not show"]
    together = sum(share for share in shares if not isinstance(share, Missing))
    rounding = sum(last_digit(row, (column, 1.0)) for row in rows) / 2
    # Chosen: half a digit of the sum itself, for how binary fractions are rounded.
    if abs(together - 100) <= rounding + 0.05:
        return []
    what = "rows are absent" if together < 100 else "rows of several tables stand in it"
    return [f"the shares add up to {together:.1f} %: {what}"]


def _timed(header: list[str], word: str) -> tuple[str, float]:
    """Return the column that is called "word (unit)", and its unit in seconds."""
    for unit, seconds in SECONDS.items():
        if f"{word} ({unit})" in header:
            return f"{word} ({unit})", seconds
    return "", 1.0
