"""region_csv: how long the regions inside one kernel took, by clocks read in the kernel.

In: a row per region with a time and its share of the kernel (`region,median_us,frac_of_kernel`).
Out: a table of regions. What is inside a kernel has to add up: where the shares do not make a
whole, or the kernel's own time differs between rows, the table is Partial and says by how much.
"""

import csv
import math
from statistics import median

from roofmark.foreign import Complete, Imported, KernelRow, KernelTable, Partial
from roofmark.importers.csv_text import read_table
from roofmark.importers.kernel_rows import SECONDS
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing
from roofmark.units import show

_REGIONS = ("region", "phase", "section")
_SHARES = ("frac_of_kernel", "fraction", "frac", "share")
_TIMES = ("median", "mean")
# Chosen: clocks read inside a kernel cost a little and overlap a little; a tenth is neither.
CONSERVED = 0.1


def recognises(head: bytes) -> bool:
    """Whether the first line names a region, a time with its unit and a share."""
    first = head.decode("utf-8-sig", "replace").splitlines()[:1]
    header = next(csv.reader(first), []) if first else []
    return bool(_first(header, _REGIONS) and _first(header, _SHARES) and _timed(header)[0])


def read(file: ForeignFile) -> Imported:
    """Return the regions. Raises: ImportFailed RM416, RM417, RM418, RM419."""
    table = read_table(file)
    if not table.rows:
        raise file.failed("the table has no row: no region was timed")
    header = list(table.rows[0][1])
    name, share, (time, unit) = _first(header, _REGIONS), _first(header, _SHARES), _timed(header)
    if not (name and share and time):
        raise file.unclear(
            "no column of regions, of shares or of times", "Name them in the header."
        )
    rows: list[KernelRow] = []
    wholes: list[float] = []
    waits: list[str] = []
    for line, row in table.rows:
        seconds, part = number(row[time]), number(row[share])
        if isinstance(seconds, Missing) or seconds < 0:
            raise file.malformed(f"line {line}: {row[time][:40]!r} is no time")
        if isinstance(part, Missing):
            waits.append(row[name])
            continue
        if part > 0:
            wholes.append(seconds * unit / part)
        rows.append(_row(row[name], seconds * unit))
    if not rows or not wholes or not all(map(math.isfinite, wholes)):
        raise file.unclear("no region has a share above 0", "Write each region's share.")
    doubts = _conservation(sum(row.total for row in rows), wholes)
    reasons = (*table.reasons, *doubts)
    left_out = f"without a share, so not in the sum: {', '.join(waits)}"[:500]
    return Imported(
        source=file.source("region_csv", Missing(reason="the file names no tool")),
        completeness=Partial(reasons=reasons) if reasons else Complete(),
        contents=(KernelTable(kind="regions", rows=tuple(rows)),),
        notes=(*table.notes, *((left_out,) if waits else ())),
    )


def _conservation(total: float, wholes: list[float]) -> tuple[str, ...]:
    whole = median(wholes)
    found: list[str] = []
    if max(wholes) > min(wholes) * (1 + CONSERVED):
        found.append(
            f"shares and times imply kernels from {show(min(wholes), 's')} to "
            f"{show(max(wholes), 's')}: they are not of one kernel"
        )
    if abs(total / whole - 1) > CONSERVED:
        found.append(
            f"the regions add up to {show(total, 's')} of the kernel's {show(whole, 's')} "
            f"({100 * total / whole:.1f} %): nothing follows from shares that make no whole"
        )
    return tuple(found)


def _row(name: str, seconds: float) -> KernelRow:
    alone = Missing(reason="the table has one figure per region")
    return KernelRow(name=name, calls=1, total=seconds, mean=alone, median=seconds, p95=alone)


def _first(header: list[str], names: tuple[str, ...]) -> str:
    return next((name for name in header if name.strip().lower() in names), "")


def _timed(header: list[str]) -> tuple[str, float]:
    for name in header:
        word, _, unit = name.strip().lower().rpartition("_")
        if word in _TIMES and unit in SECONDS:
            return name, SECONDS[unit]
    return "", 1.0
