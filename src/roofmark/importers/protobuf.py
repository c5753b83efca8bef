"""The wire format of protocol buffers, as far as reading needs it: bounded, without a schema.

In: bytes. Out: (field number, wire type, value). Nested messages stay bytes until somebody asks.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Value = int | bytes
# Chosen: a launch of the full set has about a thousand fields; a million take 50 MB.
MOST_FIELDS = 1_000_000


class NoMessage(ValueError):
    """The bytes are no message; says at which byte."""


def fields(data: bytes) -> Iterator[tuple[int, int, Value]]:
    """Yield every field in order. Raises: NoMessage."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield field, wire, value
            continue
        if wire == BYTES:
            size, at = _varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise NoMessage(f"byte {at}: wire type {wire}")
        if size > end - at:
            raise NoMessage(f"byte {at}: {size} bytes are announced and {end - at} are there")
        yield field, wire, data[at : at + size]
        at += size


def gather(data: bytes) -> dict[int, list[Value]]:
    """Return every field's values by number. Raises: NoMessage, also beyond MOST_FIELDS."""
    found: dict[int, list[Value]] = {}
    for count, (field, _, value) in enumerate(fields(data)):
        if count >= MOST_FIELDS:
            raise NoMessage(f"a message has more than {MOST_FIELDS:,} fields")
        found.setdefault(field, []).append(value)
    return found


def number_of(found: dict[int, list[Value]], field: int) -> int:
    """Return a field's last number; what is not there is 0, as the format has it."""
    value = found.get(field, [0])[-1]
    return value if isinstance(value, int) else 0


def bytes_of(found: dict[int, list[Value]], field: int) -> bytes:
    """Return a field's last bytes; what is not there is empty."""
    value = found.get(field, [b""])[-1]
    return value if isinstance(value, bytes) else b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        # Source: a varint has at most ten bytes.
        if at >= len(data) or shift > 63:
            raise NoMessage(f"byte {at}: a number does not end")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            if result >> 64:
                raise NoMessage(f"byte {at}: a number has more than 64 bits")
            return result, at
        shift += 7
