"""A streamed answer: from bytes with arrival times to requests with theirs.

In: what a connection brought, piece by piece, each with the time at which it came. Out: status,
server-sent events with the time at which each was complete, and what they say. Nothing is parsed
while a visit runs; a client that reads JSON between two tokens measures itself.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, cast

import msgspec

from roofmark.records import Missing
from roofmark.served import Fault

Piece = tuple[float, bytes]

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_SEPARATOR = re.compile(rb"\r?\n\r?\n")
_DONE = b"[DONE]"
# Chosen: enough of an error page to tell what went wrong.
_SHOWN = 300
_UNCOUNTED = Missing(reason="the server counts no tokens (usage)")


@dataclass
class Answer:
    """What a stream said. arrivals: of chunks with a token or text; text: all of it.

    finished: whether it gave a reason of its end.
    """

    arrivals: list[float] = field(default_factory=list[float])
    text: str = ""
    prompt_tokens: int | Missing = _UNCOUNTED
    tokens: int | Missing = _UNCOUNTED
    finished: bool = False
    fault: Fault | None = None


def read_answer(pieces: Sequence[Piece]) -> Answer:
    """Return what the pieces of one whole connection said."""
    raw = b"".join(data for _, data in pieces)
    head, blank, _ = raw.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if not blank or not status:
        return Answer(fault=_fault("cut" if raw else "refused", "no HTTP answer came", raw))
    start = len(head) + len(blank)
    chunked = re.search(rb"(?im)^transfer-encoding:.*chunked", head) is not None
    body, marks, whole = _dechunk(raw, start) if chunked else (raw[start:], [(0, start)], False)
    if status[1] != b"200":
        return Answer(fault=_fault("http", f"HTTP {status[1].decode()}", body))
    return _read_events(_events(body, marks, pieces), whole=whole)


def _dechunk(raw: bytes, at: int) -> tuple[bytes, list[tuple[int, int]], bool]:
    """Return the body, (place in the body, place in `raw`) of each chunk's begin, if it is whole.

    The last chunk, which is empty, says that it is.
    """
    body, marks, whole = bytearray(), [(0, at)], False
    while (end := raw.find(b"\r\n", at)) >= 0:
        try:
            size = int(raw[at:end].partition(b";")[0], 16)
        except ValueError:
            break
        at = end + 2
        marks.append((len(body), at))
        body += raw[at : at + size]
        at += size + 2
        if whole := not size:
            break
    return bytes(body), marks, whole


def _events(
    body: bytes, marks: list[tuple[int, int]], pieces: Sequence[Piece]
) -> Iterator[tuple[float, bytes]]:
    """Yield each event's data with the time at which its last byte came."""
    ends = list(accumulate(len(data) for _, data in pieces))
    begins = [place for place, _ in marks]
    at = 0
    for found in _SEPARATOR.finditer(body):
        last = found.end() - 1
        place, offset = marks[bisect_left(begins, last + 1) - 1]
        arrived = pieces[bisect_left(ends, offset + last - place + 1)][0]
        data = body[at : found.start()]
        at = found.end()
        lines = [line[5:].strip() for line in data.splitlines() if line.startswith(b"data:")]
        if lines:
            yield arrived, b"\n".join(lines)


def _read_events(events: Iterator[tuple[float, bytes]], *, whole: bool) -> Answer:
    """Read events to `[DONE]`, or to the end of a whole body that gave the reason of its end."""
    answer = Answer()
    text: list[str] = []
    for arrived, data in events:
        if data == _DONE:
            answer.text = "".join(text)
            return answer
        try:
            values = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            answer.fault = _fault("malformed", f"an event is no JSON ({error})", data)
            break
        if not isinstance(values, dict) or "error" in values:
            answer.fault = _fault("http", "the server reported an error", data)
            break
        told = _told(cast("dict[str, Any]", values), answer)
        if told is not None:
            answer.arrivals.append(arrived)
            text.append(told)
    answer.text = "".join(text)
    if answer.fault is None and not (whole and answer.finished):
        answer.fault = _fault("cut", "the stream ended before [DONE]", b"")
    return answer


def _told(values: dict[str, Any], answer: Answer) -> str | None:
    """Take counts from an event; return its text, or None where it brings no token.

    An empty text counts unless it comes with the reason of the end: tokens may decode to nothing.
    """
    usage = values.get("usage")
    if isinstance(usage, dict):
        counts = cast("dict[str, Any]", usage)
        for name, key in (("prompt_tokens", "prompt_tokens"), ("tokens", "completion_tokens")):
            if isinstance(counts.get(key), int):
                setattr(answer, name, counts[key])
    choices = values.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    choice = cast("dict[str, Any]", choices[0])
    answer.finished = answer.finished or bool(choice.get("finish_reason"))
    text = choice.get("text")
    if not isinstance(text, str) or (not text and choice.get("finish_reason")):
        return None
    return text


def _fault(kind: Any, reason: str, data: bytes) -> Fault:
    said = " ".join(data[:_SHOWN].decode("utf-8", "replace").split())
    return Fault(kind=kind, reason=f"{reason}: {said}" if said else reason)
