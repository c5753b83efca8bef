"""ncu_csv: Nsight Compute's `--csv` output, one row per launch or one row per metric.

In: `--page raw` (wide: a header, a row of units, a row per launch) or `--page details` (long: a row
per metric), with the lines that ncu and the program print around them (`==PROF==`, `==ERROR==`).
Out: `Profiles`. Output that holds errors and no launch is a failure, never an empty result.
"""

import csv
import re
from collections.abc import Iterable, Iterator

from roofmark.foreign import Complete, Imported, Metric, Partial, Profile, Profiles
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

_HEADER = '"ID","Process ID"'
_FIRST = ("ID", "Process ID", "Process Name", "Host Name", "Kernel Name")
_SAYS = re.compile(r"^==(?P<kind>ERROR|WARNING)==\s*(?P<text>.*)$")
_DURATIONS = ("gpu__time_duration.sum", "gpu__time_duration.avg", "Duration")
# Source: the units that ncu prints for times, in its short and its long form.
_SECONDS = {
    "s": 1.0, "second": 1.0, "ms": 1e-3, "msecond": 1e-3, "us": 1e-6, "usecond": 1e-6,
    "ns": 1e-9, "nsecond": 1e-9,
}  # fmt: skip
# Source: columns that describe a launch; every other column of the wide form is a metric.
_LAUNCH = {
    *_FIRST, "Context", "Stream", "Block Size", "Grid Size", "Device", "CC", "Section Name",
    "Kernel Time", "Invocations",
}  # fmt: skip
# Chosen: launches of the longest report that was met, times a hundred.
_MOST_LAUNCHES = 200_000


def recognises(head: bytes) -> bool:
    """Whether a line is ncu's CSV header, or errors are all there is."""
    text = head.decode("utf-8-sig", "replace")
    return any(line.startswith(_HEADER) for line in text.splitlines()) or _only_errors(text)


def _only_errors(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(re.match(r"==(ERROR|WARNING)==", line) for line in lines)


def read(file: ForeignFile) -> Imported:
    """Return every launch. Raises: ImportFailed RM416, RM417, RM418."""
    said: list[str] = []
    lines = file.lines()
    header = _header(lines, said)
    errors = [text for text in said if text.startswith("ERROR")]
    if header is None:
        raise file.failed(errors[0] if errors else "ncu profiled nothing: there is no table")
    launches = _launches(file, header, _table(lines, said))
    if not launches:
        raise file.failed(
            next((text for text in said if text.startswith("ERROR")), "the table has no launch")
        )
    return Imported(
        source=file.source("ncu_csv", "Nsight Compute"),
        completeness=Partial(reasons=tuple(said[:20])) if said else Complete(),
        contents=(Profiles(launches=launches),),
        notes=(),
    )


def _header(lines: Iterator[str], said: list[str]) -> str | None:
    for line in lines:
        if line.startswith(_HEADER):
            return line
        _hear(line, said)
    return None


def _table(lines: Iterator[str], said: list[str]) -> Iterator[str]:
    """Yield the table's lines; what ncu says between them is heard, not read as a row."""
    for line in lines:
        if line.startswith("=="):
            _hear(line, said)
        elif line.strip():
            yield line


def _hear(line: str, said: list[str]) -> None:
    if found := _SAYS.match(line):
        said.append(f"{found['kind']}: {found['text'][:200]}")


def _launches(file: ForeignFile, header: str, lines: Iterator[str]) -> tuple[Profile, ...]:
    try:
        names = next(csv.reader([header]))
    except csv.Error as error:
        raise file.malformed(f"the header: {error}") from error
    if len(set(names)) != len(names):
        raise file.malformed("the header names a column twice")
    # A row of the long form leaves out the columns at its end that hold nothing.
    rows = file.rows(_chained(header, lines), ragged="Metric Name" in names)
    if "Metric Name" in names:
        return _long(file, rows)
    if any(name not in names for name in (*_FIRST, "Block Size", "Grid Size")):
        raise file.malformed(f"the header is no launch table: {', '.join(names[:8])}")
    return _wide(file, rows)


def _chained(header: str, lines: Iterator[str]) -> Iterator[str]:
    yield header
    yield from lines


def _wide(file: ForeignFile, rows: Iterator[tuple[int, dict[str, str]]]) -> tuple[Profile, ...]:
    units: dict[str, str] | None = None
    launches: list[Profile] = []
    for line, row in rows:
        if units is None and not row["ID"].strip():
            units = row
            continue
        metrics = {
            name: Metric(value=_value(text), unit=(units or {}).get(name, ""))
            for name, text in row.items()
            if name not in _LAUNCH
        }
        launches.append(_profile(file, line, row, metrics))
        if len(launches) > _MOST_LAUNCHES:
            raise file.malformed(f"line {line}: more than {_MOST_LAUNCHES} launches")
    return tuple(launches)


def _long(file: ForeignFile, rows: Iterator[tuple[int, dict[str, str]]]) -> tuple[Profile, ...]:
    """Gather the rows of one launch, which share an ID; rows of rules name no metric."""
    launches: dict[str, tuple[int, dict[str, str], dict[str, Metric]]] = {}
    for line, row in rows:
        if any(name not in row for name in (*_FIRST, "Metric Unit", "Metric Value")):
            raise file.malformed(f"line {line}: the header lacks Metric Unit or Metric Value")
        _, first, metrics = launches.setdefault(row["ID"], (line, row, {}))
        if first["Kernel Name"] != row["Kernel Name"]:
            raise file.malformed(f"line {line}: launch {row['ID'][:20]} has two kernels")
        if len(launches) > _MOST_LAUNCHES:
            raise file.malformed(f"line {line}: more than {_MOST_LAUNCHES} launches")
        if row["Metric Name"]:
            found = Metric(value=_value(row["Metric Value"]), unit=row["Metric Unit"])
            add_metric(metrics, row["Metric Name"], found)
    return tuple(_profile(file, line, row, metrics) for line, row, metrics in launches.values())


def add_metric(metrics: dict[str, Metric], name: str, found: Metric) -> None:
    """Add a metric; of two with one name ("Memory Throughput" in % and in B/s) the unit tells."""
    if name in metrics and metrics[name] != found:
        name = f"{name} [{found.unit}]"
    metrics.setdefault(name, found)


def _profile(
    file: ForeignFile, line: int, row: dict[str, str], metrics: dict[str, Metric]
) -> Profile:
    identity = number(row["ID"])
    if isinstance(identity, Missing) or identity < 0 or identity != int(identity):
        raise file.malformed(f"line {line}: {row['ID'][:40]!r} is no launch's number")
    return Profile(
        kernel=row["Kernel Name"],
        launch=int(identity),
        grid=sizes(row.get("Grid Size", "")),
        block=sizes(row.get("Block Size", "")),
        duration=duration(metrics),
        metrics=metrics,
    )


def sizes(text: str) -> tuple[int, ...] | Missing:
    """Return the three sizes of "(8, 4, 1)"."""
    found = re.fullmatch(r"\s*\(?\s*(\d{1,10})\s*,\s*(\d{1,10})\s*,\s*(\d{1,10})\s*\)?\s*", text)
    if not found:
        return Missing(reason=f"{text[:40]!r} is no grid or block")
    return tuple(int(size) for size in found.groups())


def duration(metrics: dict[str, Metric]) -> float | Missing:
    """Return the launch's own time in seconds, by whichever name the report has it."""
    for metric in _of(metrics, _DURATIONS):
        if isinstance(metric.value, float) and metric.value >= 0 and metric.unit in _SECONDS:
            return metric.value * _SECONDS[metric.unit]
    return Missing(reason="the report has no duration with a unit")


def _of(metrics: dict[str, Metric], names: Iterable[str]) -> Iterator[Metric]:
    return (metrics[name] for name in names if name in metrics)


def _value(text: str) -> float | str | Missing:
    """Return a number, or the text of what is none ("GPU boost", a kernel's attribute)."""
    found = number(text)
    if not isinstance(found, Missing):
        return found
    bare = text.strip()
    return found if bare.lower() in ("", "nan", "n/a", "inf", "-nan", "-inf") else bare[:500]
