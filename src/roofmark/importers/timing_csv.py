"""timing_csv: a CSV with one sample per row, in a column whose name or caller tells the unit.

In: a header and rows. Out: `Series`. A column is a time when its name ends in `_s`, `_ms`, `_us` or
`_ns`, or when `--column` and `--unit` say so. Rows that the file itself marks (`is_warmup` = 1) and
the first `--warm-up` rows are kept and do not count.
"""

import csv
import re

from roofmark.foreign import Complete, Imported, Samples, Series
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SUFFIX = re.compile(r"^(?P<what>.*?)[_ (\[]*(?P<unit>ms|us|ns|s|sec|seconds)[)\]]?$")
_MARKS = ("is_warmup", "warmup", "is_warm_up")
# Of one event, not of many: a table of sums and means is another format.
_MANY = ("total", "sum", "avg", "mean", "med", "min", "max", "std", "p50", "p95", "p99")
_WORDS = ("elapsed", "time", "latency", "duration", "launch", "kernel", "wall")


def recognises(head: bytes) -> bool:
    """Whether the first line is a CSV header with a column that is a time of one event."""
    first = head.decode("utf-8-sig", "replace").splitlines()[:1]
    header = next(csv.reader(first), []) if first else []
    return len(header) > 1 and any(_unit_of(name) for name in header)


def read(file: ForeignFile) -> Imported:
    """Return every column of times. Raises: ImportFailed RM416, RM419."""
    rows = list(file.rows())
    header = list(rows[0][1]) if rows else []
    units = _columns(file, header)
    if not rows:
        raise file.malformed("line 1 is all there is: a header without samples")
    marked = _marked(rows)
    warm_up = file.declared.warm_up if file.declared.warm_up is not None else marked
    if warm_up >= len(rows):
        raise file.unclear(
            f"{warm_up} of {len(rows)} rows are warm-up, so none counts", "Name fewer: --warm-up N."
        )
    columns = tuple(
        Samples(
            label=name,
            seconds=tuple(_sample(file, line, row[name]) * _UNITS[unit] for line, row in rows),
            warm_up=warm_up,
        )
        for name, unit in units.items()
    )
    return Imported(
        source=file.source("timing_csv", Missing(reason="the file names no tool")),
        completeness=Complete(),
        contents=(Series(columns=columns),),
        notes=() if warm_up else ("No row counts as warm-up; say --warm-up N if the first do.",),
    )


def _columns(file: ForeignFile, header: list[str]) -> dict[str, str]:
    asked = file.declared.column
    if asked is None:
        return {name: unit for name in header if (unit := _unit_of(name))}
    if asked not in header:
        raise file.unclear(f"no column {asked!r}; there are {', '.join(header)}", "Name one.")
    unit = file.declared.unit or _unit_of(asked)
    if unit not in _UNITS:
        raise file.unclear(f"column {asked!r} has no unit", "Say --unit s, ms, us or ns.")
    return {asked: unit}


def _unit_of(name: str) -> str:
    """Return the unit that a column's name ends in, if the name is that of a duration."""
    found = _SUFFIX.match(name.strip().lower())
    if not found or not any(word in found["what"] for word in _WORDS):
        return ""
    if any(word in re.split(r"[^a-z0-9]+", found["what"]) for word in _MANY):
        return ""
    return "s" if found["unit"] in ("sec", "seconds") else found["unit"]


def _marked(rows: list[tuple[int, dict[str, str]]]) -> int:
    """Return how many of the first rows the file marks as warm-up."""
    column = next((name for name in rows[0][1] if name.strip().lower() in _MARKS), None)
    if column is None:
        return 0
    count = 0
    for _, row in rows:
        if row[column].strip().lower() not in ("1", "true"):
            break
        count += 1
    return count


def _sample(file: ForeignFile, line: int, text: str) -> float:
    value = number(text)
    if isinstance(value, Missing) or value < 0:
        raise file.malformed(f"line {line}: {text[:60]!r} is no duration")
    return value
