"""ncu_details: what Nsight Compute prints for people: its details page as text, or its log.

In: `kernel (grid)x(block), Context ..` lines, each followed by sections of a metric, a unit and a
value, in columns as wide as the dashes above them. Out: `Profiles`. A log that stops before its
first table is a failure, whatever percentage it had reached.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from roofmark.foreign import Complete, Imported, Metric, Partial, Profile, Profiles
from roofmark.importers.ncu_csv import add_metric, duration
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

# Sections and the advice in them are indented by four blanks, launches by two or none.
_LAUNCH = re.compile(
    r"^ {0,3}(?P<kernel>\S.*?) \((?P<grid>\d+, \d+, \d+)\)x\((?P<block>\d+, \d+, \d+)\), "
    r"(?:Context|Device|Stream)\b"
)
_SECTION = re.compile(r"^\s+Section: ")
_RULE = re.compile(r"^\s*-{3,} +-{3,} +-{3,}\s*$")
_SAYS = re.compile(r"^==(?P<kind>ERROR|WARNING|PROF)==\s*(?P<text>.*)$")
_PASSES = re.compile(r"-\s*\d+ pass(es)?\s*$")


def recognises(head: bytes) -> bool:
    """Whether ncu speaks here, or a launch and a section stand here."""
    lines = head.decode("utf-8-sig", "replace").splitlines()
    return any(line.startswith(("==PROF==", "==ERROR==")) for line in lines) or (
        any(_LAUNCH.match(line) for line in lines) and any(_SECTION.match(line) for line in lines)
    )


@dataclass
class _Open:
    """The launch that is being read, and where the columns of its table are."""

    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    metrics: dict[str, Metric] = field(default_factory=dict[str, Metric])


def read(file: ForeignFile) -> Imported:
    """Return every launch. Raises: ImportFailed RM416, RM417, RM418."""
    said: list[str] = []
    launches = list(_launches(file, said))
    errors = [text for text in said if text.startswith("ERROR")]
    started = [text for text in said if "Profiling" in text]
    if not launches:
        raise file.failed(errors[0] if errors else f"the log holds no table; {_last(said)}")
    lost = errors + [f"not finished: {text}" for text in started if not _PASSES.search(text)]
    return Imported(
        source=file.source("ncu_details", "Nsight Compute"),
        completeness=Partial(reasons=tuple(lost[:20])) if lost else Complete(),
        contents=(Profiles(launches=tuple(launches)),),
        notes=("Values are rounded for people; the raw page has all digits.",),
    )


def _last(said: list[str]) -> str:
    """Return how far a log without a table came."""
    for text in reversed(said):
        if "Report: " in text:
            return f"read the report itself: {text.rpartition('/')[2][:100]}"
        if "Profiling" in text:
            return f"it stopped at: {text[:200]}"
    return "ncu profiled nothing"


def _launches(file: ForeignFile, said: list[str]) -> Iterator[Profile]:
    current: _Open | None = None
    count = 0
    columns: list[tuple[int, int]] = []
    for line in file.lines():
        if heard := _SAYS.match(line):
            said.append(f"{heard['kind']}: {heard['text'][:500]}")
        elif found := _LAUNCH.match(line):
            if current is not None:
                yield _profile(current, count)
                count += 1
            current = _Open(found["kernel"], _three(found["grid"]), _three(found["block"]))
            columns = []
        elif _RULE.match(line):
            columns = [match.span() for match in re.finditer("-+", line)]
        elif not line.strip() or _SECTION.match(line):
            columns = []
        elif current is not None and columns:
            _row(current.metrics, line, columns)
    if current is not None:
        yield _profile(current, count)


def _row(metrics: dict[str, Metric], line: str, columns: list[tuple[int, int]]) -> None:
    """Take one row; a name longer than its column pushes the others, so both are cut by blanks."""
    (start, end), (_, unit_end), _ = columns
    name, unit, value = line[start:end], line[end:unit_end], line[unit_end:]
    if line[end : end + 1].strip():
        parts = re.split(r"\s{2,}", line.strip())
        name, unit, value = parts[0], " ".join(parts[1:-1]), parts[-1] if len(parts) > 1 else ""
    if name.strip() == "Metric Name" or not value.strip():
        return
    told = number(value)
    bare = value.strip()
    text = isinstance(told, Missing) and bare.lower() not in ("nan", "n/a", "inf", "-")
    add_metric(
        metrics, name.strip(), Metric(value=bare[:500] if text else told, unit=unit.strip()[:60])
    )


def _profile(found: _Open, launch: int) -> Profile:
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
