"""ncu_csv: Nsight Compute's `--csv` output, one row per launch or one row per metric.

In: `--page raw` (wide: a header, a row of units, a row per launch) or `--page details` (long: a row
per metric), with the lines that ncu and the program print around them (`==PROF==`, `==ERROR==`).
Out: `Profiles`. Output that holds errors and no launch is a failure, never an empty result.
"""

import csv
import itertools
import re
from collections.abc import Iterator

from roofmark.errors import ImportFailed
from roofmark.foreign import Imported, Metric, Profile, Profiles
from roofmark.importers.ncu_text import Heard, add_metric, check_amounts, duration, metric
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

# A CSV that another program saved again has lost its quotes.
_HEADER = re.compile(r'"?ID"?,"?Process ID"?,')
_SAYS_ONLY = re.compile(r"==(ERROR|WARNING)==")
_FIRST = ("ID", "Process ID", "Process Name", "Host Name", "Kernel Name")
# Source: columns that describe a launch; every other column of the wide form is a metric. Block
# and grid are absent from what older versions wrote.
_LAUNCH = {
    *_FIRST, "Context", "Stream", "Block Size", "Grid Size", "Device", "CC", "Section Name",
    "Kernel Time", "Invocations",
}  # fmt: skip
# Chosen: no report numbers more; a larger one is no integer that every reader keeps exactly.
_LARGEST_ID = 2**53


def recognises(head: bytes) -> bool:
    """Whether a line is ncu's CSV header, or errors are all there is."""
    lines = [line for line in head.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    return any(_HEADER.match(line) for line in lines) or (
        bool(lines) and all(_SAYS_ONLY.match(line) for line in lines)
    )


def read(file: ForeignFile) -> Imported:
    """Return every launch. Raises: ImportFailed RM416, RM417, RM418, RM419."""
    heard = Heard()
    lines = file.lines()
    header = _header(lines, heard)
    if header is None:
        raise file.failed(heard.failure("there is no table"))
    launches = _launches(file, header, _table(lines, heard), heard)
    if not launches:
        raise heard.cut or file.failed(heard.failure("the table has no launch"))
    return Imported(
        source=file.source("ncu_csv", "Nsight Compute"),
        completeness=heard.completeness(),
        contents=(Profiles(launches=launches),),
        notes=tuple(heard.remarks),
    )


def _header(lines: Iterator[str], heard: Heard) -> str | None:
    for line in lines:
        if _HEADER.match(line):
            return line
        heard.hear(line)
    return None


def _table(lines: Iterator[str], heard: Heard) -> Iterator[str]:
    """Yield the table's lines; what ncu says between them is heard, not read as a row."""
    for line in lines:
        if line.strip() and not heard.hear(line):
            yield line


def _launches(
    file: ForeignFile, header: str, lines: Iterator[str], heard: Heard
) -> tuple[Profile, ...]:
    names = _names(file, header)
    if len(set(names)) != len(names):
        raise file.malformed("the header names a column twice")
    if missing := [name for name in _FIRST if name not in names]:
        raise file.malformed(f"the header is no launch table: it lacks {', '.join(missing)}")
    # A row of the long form leaves out the columns at its end that hold nothing.
    rows = file.rows(itertools.chain([header], lines), ragged="Metric Name" in names)
    rows = _until_cut(rows, lines, heard)
    if "Metric Name" not in names:
        return _wide(file, rows)
    if "Metric Unit" not in names or "Metric Value" not in names:
        raise file.malformed("the header lacks Metric Unit or Metric Value")
    return _long(file, rows, heard)


def _names(file: ForeignFile, header: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header], strict=True))]
    except csv.Error as error:
        raise file.malformed(f"the header cannot be read: {error}") from error


def _until_cut(
    rows: Iterator[tuple[int, dict[str, str]]], lines: Iterator[str], heard: Heard
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield rows up to damage, if nothing follows it: that is what a stopped tool leaves."""
    try:
        yield from rows
    except ImportFailed as error:
        if error.code != "RM416" or next(lines, None) is not None:
            raise
        heard.cut = error
        heard.lose(f"the file ends in damage: {error.problems[0].fact}")


def _wide(file: ForeignFile, rows: Iterator[tuple[int, dict[str, str]]]) -> tuple[Profile, ...]:
    units: dict[str, str] | None = None
    launches: list[Profile] = []
    count = 0
    for line, row in rows:
        if units is None and not row["ID"].strip():
            units = row
            continue
        metrics = {
            name: metric(file, line, text, (units or {}).get(name, ""))
            for name, text in row.items()
            if name not in _LAUNCH
        }
        launches.append(_profile(file, line, row, metrics))
        count += len(metrics)
        check_amounts(file, len(launches), count)
    return tuple(launches)


def _long(
    file: ForeignFile, rows: Iterator[tuple[int, dict[str, str]]], heard: Heard
) -> tuple[Profile, ...]:
    """Gather the rows of one launch, which share an ID; rows of rules name no metric."""
    launches: dict[str, tuple[int, dict[str, str], dict[str, Metric]]] = {}
    for count, (line, row) in enumerate(rows):
        _, first, metrics = launches.setdefault(row["ID"], (line, row, {}))
        if first["Kernel Name"] != row["Kernel Name"]:
            raise file.malformed(f"line {line}: launch {row['ID'][:20]} has two kernels")
        check_amounts(file, len(launches), count)
        name = row["Metric Name"]
        if name and not add_metric(
            metrics, name, metric(file, line, row["Metric Value"], row["Metric Unit"])
        ):
            heard.lose(f"{name[:100]} has two values in one unit; the first stands")
    return tuple(_profile(file, line, row, metrics) for line, row, metrics in launches.values())


def _profile(
    file: ForeignFile, line: int, row: dict[str, str], metrics: dict[str, Metric]
) -> Profile:
    identity = number(row["ID"])
    if (
        isinstance(identity, Missing)
        or not 0 <= identity < _LARGEST_ID
        or identity != int(identity)
    ):
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
