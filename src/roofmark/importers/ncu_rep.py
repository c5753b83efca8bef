"""ncu_rep: Nsight Compute's report itself (.ncu-rep), without NVIDIA's own module.

In: `NVR`, a header message, then blocks: the size of a block's header, the header (how many sources
and results follow, a table of names, the size of what follows), then that many messages, each after
its size. Out: `Profiles`. Names are numbered through the whole file. Values are in base units, and
the file names none: a duration is in nanoseconds, a name with `.pct` or `_pct` a percentage.

Source: the layout was found by setting the bytes beside what an independent reader decoded: all 540
metrics of a published report agree.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from roofmark.foreign import Complete, Imported, Metric, Partial, Profile, Profiles
from roofmark.importers.ncu_text import check_amounts
from roofmark.importers.protobuf import NoMessage, Value, bytes_of, fields, gather, number_of
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_MAGIC = b"NVR\x00"
# Chosen: the largest report that was met (2.7 GB, unfiltered) is refused; filter it.
_LARGEST = 1 << 29
_MOST_NAMES = 1_000_000
_LONGEST = 4000
# Fields of a block's header, of a result, and of a metric.
_SOURCES, _RESULTS, _ABOUT, _NAMES, _PAYLOAD = 1, 2, 3, 4, 5
_VERSION = 8  # within what a header is about
_MANGLED, _FUNCTION, _DEMANGLED, _GRID, _BLOCK, _METRICS = 5, 6, 7, 10, 11, 13
_NAME, _VALUE = 1, 2
_TEXT, _FLOAT, _DOUBLE = 1, 2, 3
_DURATIONS = tuple(f"gpu__time_duration.{each}" for each in ("sum", "avg", "min", "max"))
_TOOL = b"Nsight Compute Target"
_NUMBERS = re.compile(r"\d{4}(\.\d{1,4}){1,3}", re.ASCII)


def recognises(head: bytes) -> bool:
    """Whether it begins as a report does."""
    return head.startswith(_MAGIC)


@dataclass
class _Report:
    """What the blocks so far have told: names by number, and the version of the tool."""

    names: list[str] = field(default_factory=list[str])
    tool: str = "Nsight Compute"


def read(file: ForeignFile) -> Imported:
    """Return every profiled launch. Raises: ImportFailed RM416, RM417, RM418."""
    data = file.data(limit=_LARGEST)
    report = _Report()
    launches: list[Profile] = []
    reasons: tuple[str, ...] = ()
    count = 0
    try:
        for message in _results(data, report):
            launches.append(_profile(message, report.names, len(launches)))
            count += len(launches[-1].metrics)
            check_amounts(file, len(launches), count)
    except (NoMessage, struct.error) as error:
        if not launches:
            raise file.malformed(f"no report that can be read: {error}") from error
        reasons = (f"the report is cut or damaged after {len(launches)} launches: {error}",)
    if not launches:
        raise file.failed("the report holds no launch: the filter matched no kernel")
    return Imported(
        source=file.source("ncu_rep", report.tool),
        completeness=Partial(reasons=reasons) if reasons else Complete(),
        contents=(Profiles(launches=tuple(launches)),),
        notes=("A report names no units: values are in base units.",),
    )


def _results(data: bytes, report: _Report) -> Iterator[bytes]:
    """Yield each result's message; its names are then known. Raises: NoMessage."""
    _, at = _sized(data, len(_MAGIC))
    while at < len(data):
        header_bytes, at = _sized(data, at)
        header = gather(header_bytes)
        _learn(header, report)
        end = at + number_of(header, _PAYLOAD)
        if end > len(data):
            raise NoMessage(f"byte {at}: a block of {end - at} bytes is not all there")
        sources, results = number_of(header, _SOURCES), number_of(header, _RESULTS)
        for index in range(sources + results):
            message, at = _sized(data, at)
            if index >= sources:
                yield message
        if at > end:
            raise NoMessage(f"byte {at}: messages are longer than their block")
        at = end


def _learn(header: dict[int, list[Value]], report: _Report) -> None:
    """Take a block's table of names, and the tool's version where the block tells it."""
    for _, _, name in fields(bytes_of(header, _NAMES)):
        report.names.append(_text(name))
        if len(report.names) > _MOST_NAMES:
            raise NoMessage(f"there are more than {_MOST_NAMES:,} names")
    version = gather(bytes_of(gather(bytes_of(header, _ABOUT)), _VERSION))
    if bytes_of(version, 1) == _TOOL:
        found = _NUMBERS.match(_text(bytes_of(version, 2)))
        report.tool = f"Nsight Compute {found[0]}" if found else report.tool


def _text(value: Value) -> str:
    return value[:_LONGEST].decode(errors="replace") if isinstance(value, bytes) else ""


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    (size,) = struct.unpack_from("<I", data, at)
    start = at + 4
    if size > len(data) - start:
        raise NoMessage(f"byte {at}: {size} bytes are announced and {len(data) - start} are there")
    return data[start : start + size], start + size


def _profile(message: bytes, names: list[str], launch: int) -> Profile:
    found = gather(message)
    metrics = dict(_metric(each, names) for each in found.get(_METRICS, []))
    spelled = (bytes_of(found, each) for each in (_DEMANGLED, _FUNCTION, _MANGLED))
    kernel = next((text for text in spelled if text), b"without a name")
    return Profile(
        kernel=_text(kernel),
        launch=launch,
        grid=_sizes(bytes_of(found, _GRID)),
        block=_sizes(bytes_of(found, _BLOCK)),
        duration=_duration(metrics),
        metrics=metrics,
    )


def _metric(message: Value, names: list[str]) -> tuple[str, Metric]:
    if not isinstance(message, bytes):
        raise NoMessage("a metric is a number")
    found = gather(message)
    number = number_of(found, _NAME)
    if number >= len(names):
        raise NoMessage(f"metric {number} has no name among {len(names)}")
    name = names[number]
    return name, Metric(value=_value(bytes_of(found, _VALUE)), unit=unit_of(name))


def _value(message: bytes) -> float | str | Missing:
    """Return the one value that the message holds: text, a float, a double, or an integer."""
    for kind, _, value in fields(message):
        if isinstance(value, int):
            return float(value)
        if kind == _TEXT:
            return _text(value)
        if kind in (_FLOAT, _DOUBLE) and len(value) in (4, 8):
            (number,) = struct.unpack("<f" if len(value) == 4 else "<d", value)
            finite = number - number == 0
            return float(number) if finite else Missing(reason=f"the report holds {number}")
    return Missing(reason="the report holds no value")


def unit_of(name: str) -> str:
    """Return the unit that a name alone tells, as the tool's CSV prints it beside that name."""
    if ".pct" in name or name.endswith("_pct"):
        return "%"
    return "ns" if name in _DURATIONS else ""


def _duration(metrics: dict[str, Metric]) -> float | Missing:
    metric = metrics.get("gpu__time_duration.sum")
    if metric is None or not isinstance(metric.value, float) or metric.value < 0:
        return Missing(reason="the report has no gpu__time_duration.sum")
    return metric.value * 1e-9


def _sizes(message: bytes) -> tuple[int, ...] | Missing:
    found = gather(message)
    if not found:
        return Missing(reason="the report has no grid or block")
    return tuple(number_of(found, axis) for axis in (1, 2, 3))
