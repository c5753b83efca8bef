"""JSON text: objects of a foreign file, whether it is one object, an array, or an object per line.

In: a foreign file. Out: its objects with their line numbers, and what could not be read. A tool
that is killed leaves an array without its end or half a line: what is whole before that is kept and
the rest is named. Keys that stand twice are refused, because readers disagree on which one counts.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from roofmark.importers.reported import MOST_ROWS, too_many
from roofmark.importers.source import ForeignFile

# Chosen: decoded values take up to 25 times their text; 64 MiB stay below two GiB.
LARGEST_JSON = 1 << 26
# Chosen: a file with more unreadable places is another file.
MOST_DAMAGES = 20
# A tool's own chatter may stand before its JSON: begin where an object or an array of them does.
_BEGIN = re.compile(r"^[ \t]*(?:\{|\[[ \t\r]*(?:$|[{\]]))", re.MULTILINE)
_NEXT = re.compile(r"^\{", re.MULTILINE)
_OPENED = re.compile(rb"^[ \t]*[\[{]", re.MULTILINE)
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Placed:
    """One object and the line on which it begins."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Objects:
    """Every object that could be read, and what is absent or was passed over."""

    found: tuple[Placed, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


def read_object(file: ForeignFile) -> dict[str, Any]:
    """Return the one object that the file is. Raises: ImportFailed RM416, RM417."""
    try:
        value = _DECODER.decode(file.text(limit=LARGEST_JSON))
    except (ValueError, RecursionError) as error:
        raise file.malformed(_fact(error)) from error
    if not isinstance(value, dict):
        raise file.malformed("line 1 begins a value that is no JSON object")
    return cast("dict[str, Any]", value)


def read_objects(file: ForeignFile) -> Objects:
    """Return the objects of an array, of lines, or the only one. Raises: ImportFailed RM416."""
    text = file.text(limit=LARGEST_JSON)
    begin = _BEGIN.search(text)
    if begin is None:
        raise file.malformed("line 1: no JSON object begins in this file")
    scan = _Scan(text, begin.start())
    notes = (f"{scan.line - 1} lines before the results were passed over",) * (scan.line > 1)
    found: list[Placed] = []
    reasons: list[str] = []
    while len(reasons) < MOST_DAMAGES and scan.more():
        if not _take(scan, found, reasons):
            break
        if len(found) > MOST_ROWS:
            raise too_many(file, "objects")
    if len(reasons) >= MOST_DAMAGES or not (found or (scan.closed and not reasons)):
        raise file.malformed(reasons[0] if reasons else "line 1: there is no whole object")
    if scan.array and not scan.closed and not reasons:
        reasons.append(f"line {scan.line}: the array has no end; the tool may have been stopped")
    if scan.trailing():
        notes = (*notes, f"line {scan.line}: what follows the array was passed over")
    return Objects(tuple(found), tuple(reasons), notes)


def _take(scan: "_Scan", found: list[Placed], reasons: list[str]) -> bool:
    """Keep the next object or the reason why it is none; False where nothing can follow."""
    line = scan.line
    try:
        value = scan.take()
    except (ValueError, RecursionError) as error:
        reasons.append(f"line {line}: {_fact(error)}")
        return not scan.array and scan.skip()
    if isinstance(value, dict):
        found.append(Placed(line, cast("dict[str, Any]", value)))
    else:
        reasons.append(f"line {line}: a value that is no object")
    return True


class _Scan:
    """A place in the text that moves forward only, so that lines are counted once."""

    def __init__(self, text: str, begin: int) -> None:
        self._text = text
        self._at = self._counted = 0
        self.line = 1
        self.closed = False
        self._go(begin)
        self._go(_end(_BETWEEN, text, begin))
        self.array = text.startswith("[", self._at)
        if self.array:
            self._go(self._at + 1)

    def more(self) -> bool:
        """Move to the next value; False at the end of the array or of the text."""
        self._go(_end(_BETWEEN, self._text, self._at))
        if self.array and self._text.startswith("]", self._at):
            self.closed = True
            return False
        return self._at < len(self._text)

    def trailing(self) -> bool:
        """Whether anything but space follows the end of the array."""
        return self.closed and _end(_BETWEEN, self._text, self._at + 1) < len(self._text)

    def take(self) -> object:
        """Decode the value that begins here and move behind it."""
        value, end = _DECODER.raw_decode(self._text, self._at)
        self._go(end)
        return value

    def skip(self) -> bool:
        """Move to the next line that begins an object; False if there is none."""
        following = _NEXT.search(self._text, self._at + 1)
        if following:
            self._go(following.start())
        return following is not None

    def _go(self, at: int) -> None:
        self.line += self._text.count("\n", self._counted, at)
        self._at = self._counted = at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _fact(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    if isinstance(error, RecursionError):
        return "JSON that is nested too deeply"
    return str(error)[:200]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return values


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def has_all(head: bytes, *words: bytes) -> bool:
    """Whether the beginning of a file looks like JSON with all of these keys."""
    return _OPENED.search(head) is not None and all(b'"' + word + b'"' in head for word in words)
