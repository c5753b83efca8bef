"""Kernel rows: what importers of kernel tables share: a row's numbers, set against each other.

In: a row's fields and the unit of each, or the durations of single calls. Out: `KernelRow`, or an
error that says why it is none. A total that its own calls and mean contradict is damage or a wrong
unit, and never passes.
"""

import math
from array import array
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from roofmark.foreign import KernelRow
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# Chosen: beside what rounding to the printed digits explains; a wrong unit is off by 1,000.
AGREES = 0.01


@dataclass(frozen=True)
class Columns:
    """Which column holds what, and in how many seconds its unit is; "" where there is none."""

    name: str
    calls: str
    total: tuple[str, float]
    mean: tuple[str, float]
    median: tuple[str, float]
    p95: tuple[str, float]


def kernel_row(file: ForeignFile, line: int, row: dict[str, str], columns: Columns) -> KernelRow:
    """Return one row. Raises: ImportFailed RM416 where its numbers are none or contradict."""
    calls = number(row[columns.calls])
    if isinstance(calls, Missing) or calls < 0 or calls != int(calls):
        raise file.malformed(f"line {line}: {row[columns.calls][:40]!r} is no number of calls")
    total, mean = _seconds(row, columns.total), _seconds(row, columns.mean)
    if isinstance(total, Missing):
        if isinstance(mean, Missing):
            raise file.malformed(f"line {line}: neither total nor mean: {total.reason}")
        total = mean * calls
    if min(total, 0.0 if isinstance(mean, Missing) else mean) < 0:
        raise file.malformed(f"line {line}: a time below zero")
    rounding = last_digit(row, columns.total) + calls * last_digit(row, columns.mean)
    if not isinstance(mean, Missing) and abs(mean * calls - total) > AGREES * total + rounding:
        raise file.malformed(
            f"line {line}: {int(calls)} calls of {mean:.6g} s are not {total:.6g} s together: "
            "a unit or a column is wrong"
        )
    return KernelRow(
        name=row[columns.name],
        calls=int(calls),
        total=total,
        mean=mean,
        median=_seconds(row, columns.median),
        p95=_seconds(row, columns.p95),
    )


def row_of_calls(name: str, took: "array[float]", unit: float) -> KernelRow:
    """Return the row of one symbol; took: every call, at least one, in units of `unit` seconds."""
    tail = quantiles(took, n=20, method="inclusive")[-1] if len(took) > 1 else took[0]
    return KernelRow(
        name=name,
        calls=len(took),
        total=math.fsum(took) * unit,
        mean=fmean(took) * unit,
        median=median(took) * unit,
        p95=tail * unit,
    )


def last_digit(row: dict[str, str], column: tuple[str, float]) -> float:
    """Return what one in the last printed digit is worth, in seconds."""
    name, unit = column
    if not name:
        return 0.0
    return unit * 10.0 ** -len(row[name].strip().partition(".")[2][:20])


def _seconds(row: dict[str, str], column: tuple[str, float]) -> float | Missing:
    name, unit = column
    if not name:
        return Missing(reason="the table has no such column")
    value = number(row[name])
    return value if isinstance(value, Missing) else value * unit
