"""torch_trace: a torch profiler or Chrome trace (JSON, plain or gzip), streamed.

In: an object with `traceEvents`, or a bare array of events, of any size. Out: tables of kernels, of
copies, and of CUDA runtime calls, by name. The stream is cut between events at places that look
like `}, {`; a strict decoder then reads the piece, and where a place only looked like one (in a
string, in nested arguments) it refuses and an earlier one is taken. So a wrong cut cannot pass.
Numbers that are none (`"key": inf`) and a comma behind the last event are read as null and nothing.

Durations are microseconds. A file that ends within an event is Partial and says how many it held.
"""

import math
import re
from array import array
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeVar

import msgspec

from roofmark.foreign import Complete, Imported, KernelTable, Kind, Partial
from roofmark.importers.kernel_rows import row_of_calls
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_KINDS: dict[str, Kind] = {
    "kernel": "gpu",
    "gpu_memcpy": "copies",
    "gpu_memset": "copies",
    "memcpy": "copies",
    "memset": "copies",
    "cuda_runtime": "api",
    "cuda_driver": "api",
}
_START = re.compile(rb'"traceEvents"\s*:\s*\[')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
# A quote behind such a byte closes a key: no name can be changed by this.
_NO_NUMBER = re.compile(rb'([\w)]"\s*:\s*)-?(?:nan|inf|infinity)(?=\s*[,}])', re.IGNORECASE)
_LAST_COMMA = re.compile(rb"\}\s*,\s*\]")
# Chosen: pieces that stay in a processor's cache while they are decoded.
_PIECE = 1 << 22
# Chosen: an event with its stack and shapes is far below this; what is longer is no event.
_LONGEST_EVENT = 1 << 26
# Chosen: properties of devices and the like that stand before the events.
_LONGEST_HEAD = 1 << 26
# Chosen: of a few places one is a real gap; each that is none costs a reading of the piece, which a
# string full of them would multiply.
_CUTS = 8
_MOST_NAMES = 200_000
_LONGEST_NAME = 4000


class _Event(msgspec.Struct):
    """What is wanted of an event; the decoder skips the rest."""

    ph: Any = None
    cat: Any = None
    name: Any = None
    dur: Any = None


class _Tail(msgspec.Struct):
    """The end of a trace: its last events, then whatever else the object holds."""

    events: list[_Event] = msgspec.field(name="traceEvents")


_T = TypeVar("_T")
_ARRAY = msgspec.json.Decoder(list[_Event])
_OBJECT = msgspec.json.Decoder(_Tail)


def recognises(head: bytes) -> bool:
    """Whether events begin here: the object's key, or an array of objects with a phase."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"{"):
        return b'"traceEvents"' in head or (b'"schemaVersion"' in head and b'"traceName"' in head)
    return start.startswith(b"[") and b'"ph"' in head and b'"ts"' in head


def read(file: ForeignFile) -> Imported:
    """Return the tables. Raises: ImportFailed RM416, RM417, RM418."""
    gathered = _Gathered(file)
    with file.stream() as stream:
        cut = _walk(file, stream, gathered)
    reasons = [cut] if cut else []
    if gathered.unreadable:
        reasons.append(f"{gathered.unreadable} events of kernels or calls have no duration")
    if not gathered.durations:
        none = f"{gathered.events} events and no time of a kernel or CUDA call among them"
        raise file.failed("; ".join([none, *reasons]))
    kinds: tuple[Kind, ...] = ("gpu", "copies", "api")
    tables = [gathered.table(kind) for kind in kinds]
    return Imported(
        source=file.source("torch_trace", Missing(reason="a trace names no version")),
        completeness=Partial(reasons=tuple(reasons)) if reasons else Complete(),
        contents=tuple(table for table in tables if table.rows),
        notes=(f"{gathered.events:,} events were read.",),
    )


# --- cutting -------------------------------------------------------------------------------------
def _walk(file: ForeignFile, stream: BinaryIO, gathered: "_Gathered") -> str:
    """Read all events; return why the trace is partial, or nothing."""
    rest, bare = _find_start(file, stream)
    wanted = _PIECE
    while more := stream.read(max(wanted - len(rest), _PIECE)):
        rest += more
        taken = _take(rest, gathered)
        rest = rest[taken:]
        wanted = _PIECE if taken else 2 * len(rest)
        if len(rest) > _LONGEST_EVENT:
            return _end(file, rest + stream.read(_LONGEST_EVENT), bare, gathered)
    return _end(file, rest, bare, gathered)


def _find_start(file: ForeignFile, stream: BinaryIO) -> tuple[bytes, bool]:
    """Return what follows the array's bracket, and whether the array is all there is."""
    head = stream.read(_PIECE)
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"["):
        return start[1:], True
    while not (found := _START.search(head)):
        more = stream.read(_PIECE)
        if not more or len(head) > _LONGEST_HEAD:
            raise file.malformed(f"no list traceEvents in the first {len(head)} bytes")
        head += more
    return head[found.end() :], False


def _take(piece: bytes, gathered: "_Gathered") -> int:
    """Take the events of a piece up to its last sound cut; return how many bytes that was."""
    for end, start in _cuts(piece):
        events = _decode(_ARRAY, b"[" + piece[:end] + b"]")
        if events is not None:
            gathered.add(events)
            return start
    return 0


def _decode(decoder: "msgspec.json.Decoder[_T]", text: bytes) -> _T | None:
    """Return the value; as it was meant where its writer made no strict JSON; None if broken."""
    for each in (lambda: text, lambda: _LAST_COMMA.sub(b"}]", _NO_NUMBER.sub(rb"\1null", text))):
        try:
            return decoder.decode(each())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return None


def _cuts(piece: bytes) -> Iterator[tuple[int, int]]:
    """Yield places that look like the gap between two events, the last ones first."""
    window = len(piece)
    for _ in range(_CUTS):
        window = piece.rfind(b"}", 0, window)
        if window < 0:
            return
        if found := _BETWEEN.match(piece, window):
            yield window + 1, found.end() - 1


def _end(file: ForeignFile, rest: bytes, bare: bool, gathered: "_Gathered") -> str:
    """Read the last events and what follows them; return why the trace is partial."""
    tries = (b"[" + rest, b"[" + rest + b"]") if bare else ()
    for text in tries:  # a bare array may lack its last bracket
        if (events := _decode(_ARRAY, text)) is not None:
            gathered.add(events)
            return ""
    if not bare and (tail := _decode(_OBJECT, b'{"traceEvents":[' + rest)) is not None:
        if _START.search(rest):
            raise file.malformed("there are two lists traceEvents: readers differ on which counts")
        gathered.add(tail.events)
        return ""
    while taken := _take(rest, gathered):
        rest = rest[taken:]
    if not gathered.events:
        raise file.malformed("no event of the list could be read: it is cut or no JSON")
    return f"the file is cut or damaged after {gathered.events:,} events"


# --- gathering -----------------------------------------------------------------------------------
class _Gathered:
    """Durations by kind and name."""

    def __init__(self, file: ForeignFile) -> None:
        """Start empty; `file` gives the errors."""
        self.file = file
        self.events = 0
        self.unreadable = 0
        self.durations: dict[tuple[str, str], array[float]] = {}

    def add(self, events: list[_Event]) -> None:
        """Take what ran on the device or called it."""
        self.events += len(events)
        for event in events:
            if event.ph not in ("X", "B", "b") or not isinstance(event.cat, str):
                continue
            kind = _KINDS.get(event.cat) or _KINDS.get(event.cat.lower())
            if kind is None:
                continue
            # What begins in one event and ends in another has its duration in neither.
            self._keep(kind, event.name, event.dur if event.ph == "X" else None)

    def _keep(self, kind: str, name: Any, microseconds: Any) -> None:
        number = isinstance(microseconds, int | float) and not isinstance(microseconds, bool)
        if not isinstance(name, str) or not number or not 0 <= microseconds < math.inf:
            self.unreadable += 1
            return
        place = kind, name[:_LONGEST_NAME]
        if place not in self.durations:
            if len(self.durations) >= _MOST_NAMES:
                raise self.file.malformed(f"event {self.events}: over {_MOST_NAMES} names")
            self.durations[place] = array("d")
        self.durations[place].append(microseconds)

    def table(self, kind: Kind) -> KernelTable:
        """Return the table of one kind, the longest total first."""
        rows = [
            row_of_calls(name, took, 1e-6)
            for (of, name), took in self.durations.items()
            if of == kind
        ]
        return KernelTable(kind=kind, rows=tuple(sorted(rows, key=lambda row: -row.total)))
