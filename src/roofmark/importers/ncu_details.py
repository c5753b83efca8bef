"""ncu_details: what Nsight Compute prints for people: its details page as text, or its log.

In: `kernel (grid)x(block), Context ..` lines (older: `kernel, date, Context ..`), each
followed by sections of a metric, a unit and a value, in columns as wide as the dashes around them.
Out: `Profiles`. A log that stops before its first table is a failure, whatever percentage it had
reached; a page that stops inside a table is partial.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from roofmark.foreign import Imported, Metric, Profile, Profiles
from roofmark.importers.ncu_text import Heard, add_metric, check_amounts, duration, metric
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

# Sections and the advice in them are indented by four blanks, launches by two or none.
_LAUNCH = re.compile(
    r"^ {0,3}(?P<kernel>\S.*?) \((?P<grid>\d+, \d+, \d+)\)x\((?P<block>\d+, \d+, \d+)\), "
    r"(?:Context|Device|Stream)\b"
)
_DATED = re.compile(
    r"^ {0,3}(?P<kernel>\S.*?), \d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d, Context \d+, Stream \d"
)
_SECTION = re.compile(r"^\s+Section: ")
_RULE = re.compile(r"^\s*-{3,} +-{3,} +-{3,}\s*$")
_HEADER = re.compile(r"^\s*Metric Name\s+Metric Unit\s+Metric Value\s*$")


def recognises(head: bytes) -> bool:
    """Whether ncu speaks here, or a launch and a section stand here."""
    lines = head.decode("utf-8-sig", "replace").splitlines()
    return any(line.startswith(("==PROF==", "==ERROR==")) for line in lines) or (
        any(_LAUNCH.match(line) or _DATED.match(line) for line in lines)
        and any(_SECTION.match(line) for line in lines)
    )


@dataclass
class _Table:
    """Where the columns of a table are, and how much of its frame was seen."""

    columns: list[tuple[int, int]]
    rules: int = 1
    headed: bool = False


@dataclass
class _Open:
    """The launch that is being read, and its table, if one is open."""

    kernel: str
    grid: tuple[int, ...] | Missing
    block: tuple[int, ...] | Missing
    metrics: dict[str, Metric] = field(default_factory=dict[str, Metric])
    table: _Table | None = None


def read(file: ForeignFile) -> Imported:
    """Return every launch. Raises: ImportFailed RM416, RM417, RM418, RM419."""
    heard = Heard()
    launches = tuple(_launches(file, heard))
    if not launches:
        raise file.failed(heard.failure("the log holds no table"))
    return Imported(
        source=file.source("ncu_details", "Nsight Compute"),
        completeness=heard.completeness(),
        contents=(Profiles(launches=launches),),
        notes=("Values are rounded for people; the raw page has all digits.", *heard.remarks),
    )


def _launches(file: ForeignFile, heard: Heard) -> Iterator[Profile]:
    current: _Open | None = None
    launches = metrics = 0
    for number, line in enumerate(file.lines(), start=1):
        if heard.hear(line):
            continue
        if opened := _opened(line):
            if current is not None:
                yield _profile(current, launches, heard)
                launches, metrics = launches + 1, metrics + len(current.metrics)
            current = opened
        elif current is not None:
            _take(file, number, line, current, heard)
            check_amounts(file, launches, metrics + len(current.metrics))
    if current is not None:
        yield _profile(current, launches, heard)


def _opened(line: str) -> _Open | None:
    if found := _LAUNCH.match(line):
        return _Open(found["kernel"], _three(found["grid"]), _three(found["block"]))
    if found := _DATED.match(line):
        absent = Missing(reason="pages of older versions have no grid and no block")
        return _Open(found["kernel"], absent, absent)
    return None


def _take(file: ForeignFile, number: int, line: str, current: _Open, heard: Heard) -> None:
    """Take a line below a launch: a frame of a table, a row in it, or prose, which is left."""
    table = current.table
    if _RULE.match(line):
        _rule(line, current)
    elif table is None:
        return
    elif _HEADER.match(line):
        table.headed = True
    elif not line.strip() or _SECTION.match(line):
        _unended(current, heard)
    else:
        name, unit, value = _cells(line, table.columns)
        if (
            name
            and value
            and not add_metric(current.metrics, name, metric(file, number, value, unit))
        ):
            heard.lose(f"{name[:100]} has two values in one unit; the first stands")


def _rule(line: str, current: _Open) -> None:
    """Open a table, go below its header, or close it; old pages have no header."""
    if current.table is None:
        current.table = _Table([match.span() for match in re.finditer("-+", line)])
        return
    current.table.rules += 1
    if current.table.rules >= (3 if current.table.headed else 2):
        current.table = None


def _unended(current: _Open, heard: Heard) -> None:
    if current.table is not None:
        heard.lose(f"a table of {current.kernel[:100]} does not end: rows after it may be lost")
        current.table = None


def _cells(line: str, columns: list[tuple[int, int]]) -> tuple[str, str, str]:
    """Cut one row; a name longer than its column pushes the others, so that is cut by blanks."""
    (start, end), (_, unit_end), _ = columns
    if line[end : end + 1].strip():
        parts = re.split(r"\s{2,}", line.strip())
        return parts[0], " ".join(parts[1:-1]), parts[-1] if len(parts) > 1 else ""
    return line[start:end].strip(), line[end:unit_end].strip(), line[unit_end:].strip()


def _profile(found: _Open, launch: int, heard: Heard) -> Profile:
    _unended(found, heard)
    return Profile(
        kernel=found.kernel,
        launch=launch,
        grid=found.grid,
        block=found.block,
        duration=duration(found.metrics),
        metrics=found.metrics,
    )


def _three(text: str) -> tuple[int, ...]:
    return tuple(int(size[:10]) for size in text.split(", "))
