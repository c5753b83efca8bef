"""memory_log: a watchdog's log of memory: a time stamp, `free -h`, a line per container, a rule.

In: blocks such as

    2026-01-31T10:00:00+00:00
                   total        used        free ...
    Mem:           119Gi        41Gi        46Gi ...
    docker: NAME cpu=101.9% mem=3.151GiB / 119.6GiB
    ---

Out: `Timelines` in bytes: what the host used and had available, what each container used. `free -h`
rounds to a GiB above ten, which each timeline says; a block without its figures is named.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from roofmark.foreign import Imported, Timeline, Timelines
from roofmark.importers.reported import MOST_ROWS, Gathered, imported, plain, too_many
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})?")
_ROW = re.compile(r"(Mem|Swap):\s+\S")
_CONTAINER = re.compile(r"docker:\s*(?P<name>\S{1,100})\s.*?\bmem=(?P<used>[\d.]+\s*[KMGT]?i?B)\b")
_AMOUNT = re.compile(r"(?P<digits>\d{1,15}(?P<decimals>\.\d{1,6})?)\s*(?P<unit>[KMGT]?)i?B?")
_UNITS = {"": 1.0, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40}
_COLUMNS = {"used": "host used", "available": "host available"}
# Source: docker's go-units writes sizes with "%.4g", without the zeros at their end.
_FOUR_DIGITS = 1e-3
# Chosen: a host has a handful of containers; a log with more names is another log.
_MOST_LINES = 100


@dataclass
class _Line:
    seconds: list[float] = field(default_factory=list[float])
    values: list[float] = field(default_factory=list[float])
    step: float = 0.0


def recognises(head: bytes) -> bool:
    """Whether a time stamp is followed by `free`'s table."""
    first = head.decode("utf-8-sig", "replace").splitlines()[:4]
    stamped = any(_STAMP.fullmatch(each.strip()) for each in first[:2])
    return stamped and any(each.startswith("Mem:") for each in first)


def read(file: ForeignFile) -> Imported:
    """Return every amount over time. Raises: ImportFailed RM416, RM417, RM419."""
    log = _Log(file)
    for count, (number, stamp, block) in enumerate(_blocks(file)):
        if count > MOST_ROWS:
            raise too_many(file, "readings")
        log.take(number, stamp, block)
    timelines = tuple(
        Timeline(
            label=label, unit="B", seconds=tuple(each.seconds), values=tuple(each.values),
            step=each.step,
        )
        for label, each in log.lines.items()
    )  # fmt: skip
    contents = [Timelines(begin=log.begin, lines=timelines)] if timelines else []
    tool = Missing(reason="the log names no tool; `free` and `docker stats` write such lines")
    return imported(file, "memory_log", tool, contents, log.gathered)


@dataclass
class _Log:
    """Readings in the order of the file; time only goes forward in it."""

    file: ForeignFile
    gathered: Gathered = field(default_factory=Gathered)
    lines: dict[str, _Line] = field(default_factory=dict[str, _Line])
    begin: str = ""
    last: float = 0.0

    def take(self, number: int, stamp: str, block: list[str]) -> None:
        """Keep one reading, or the reason why not."""
        at = _seconds_since(self.begin or stamp, stamp)
        if at is None or at < self.last:
            why = "is no time" if at is None else f"goes back by {self.last - at:g} s"
            self.gathered.reasons.append(f"line {number}: the time {stamp} {why}")
            return
        self.begin, self.last = self.begin or stamp, at
        found = dict(_amounts(self.file, block))
        if not found:
            self.gathered.reasons.append(f"line {number}: a reading without any figure")
        for label, (value, step) in found.items():
            if label not in self.lines and len(self.lines) >= _MOST_LINES:
                raise self.file.malformed(f"over {_MOST_LINES} amounts are logged")
            line = self.lines.setdefault(label, _Line())
            line.seconds.append(at)
            line.values.append(value)
            line.step = max(line.step, step)


def _seconds_since(begin: str, stamp: str) -> float | None:
    """Return the seconds between two time stamps; None where they are none or of two kinds."""
    try:
        return (datetime.fromisoformat(stamp) - datetime.fromisoformat(begin)).total_seconds()
    except (ValueError, TypeError):
        return None


def _blocks(file: ForeignFile) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each time stamp with its line number and the lines up to the next one."""
    stamp, at, block = "", 0, list[str]()
    for number, line in enumerate(file.lines(), 1):
        if _STAMP.fullmatch(line.strip()):
            if stamp:
                yield at, stamp, block
            stamp, at, block = line.strip(), number, []
        elif stamp and len(block) < _MOST_LINES:
            block.append(line)
    if stamp:
        yield at, stamp, block


def _amounts(file: ForeignFile, block: list[str]) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield label -> (bytes, rounding step) of one reading."""
    header: list[str] = []
    for line in block:
        words = line.split()
        if "used" in words and "total" in words:
            header = words
        elif (row := _ROW.match(line)) and header:
            cells = dict(zip(header, words[1:], strict=False))
            for column, label in _COLUMNS.items():
                if row[1] == "Mem" and column in cells and (found := _bytes(file, cells[column])):
                    yield label, found
            if row[1] == "Swap" and (found := _bytes(file, cells.get("used", ""))):
                yield "swap used", found
        elif (container := _CONTAINER.match(line)) and (found := _bytes(file, container["used"])):
            value = found[0]
            yield f"container {plain(container['name'], 100)}", (value, value * _FOUR_DIGITS)


def _bytes(file: ForeignFile, text: str) -> tuple[float, float] | None:
    """Return bytes and what the last digit is worth. Raises: ImportFailed RM419 without a unit."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    if not found["unit"] and not text.endswith("B") and float(found["digits"]) > 0:
        raise file.unclear(f"{text!r} bears no unit", "Write the log with `free -h` or `free -b`.")
    decimals = len(found["decimals"] or ".") - 1
    scale = _UNITS[found["unit"]]
    return float(found["digits"]) * scale, scale * 10.0**-decimals
