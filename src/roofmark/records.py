"""Records: the immutable, strictly decoded values that studies and bundles are made of.

In: Python objects or bytes. Out: the same value, or an error that names the place. Encoding is
canonical (fields as declared, mappings in their own order, shortest floats): a definition's inputs
are ordered, so their order is part of its digest.

Format history (`FORMAT`, stored in every manifest):
1  first format.
2  `Passed.memory`: what a worker held; Missing in bundles of format 1. `stations/` and
   `Trace.station`: process sets of several devices, which a reader of format 1 would pool.
"""

import hashlib
import math
from pathlib import PurePath
from typing import Any, TypeVar, dataclass_transform

import msgspec

from roofmark.errors import BundleError, Problem

FORMAT = 2

# Chosen: far above any honest record (54 workloads make about 0.3 MB), far below what would
# exhaust a laptop; a larger file is refused before it is parsed.
MAX_RECORD_BYTES = 64 * 1024 * 1024

# Chosen: what was expected and where; a value from a stranger's file may have any length.
_LONGEST = 500

R = TypeVar("R", bound="Record")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _RecordMeta(type(msgspec.Struct)):
    """Tells type checkers what `Record` hands down to its subclasses."""


class Record(
    msgspec.Struct, metaclass=_RecordMeta, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """An immutable value that encodes to canonical JSON and back."""


class Missing(Record, tag="missing"):
    """A fact that could not be had, and why. Never a zero, never an empty string."""

    reason: str


def encode(record: Any) -> bytes:
    """Return canonical JSON: fields as declared, mappings as ordered, floats shortest, no spaces.

    Raises: ValueError if a float is not finite (JSON has no NaN, and neither has evidence).
    """
    _check_finite(record)
    return msgspec.json.encode(record)


def encode_pretty(record: Any) -> bytes:
    """Return `encode` indented for people and diffs, with a final newline."""
    return msgspec.json.format(encode(record), indent=1) + b"\n"


def decode(data: bytes, kind: type[R], *, where: str | PurePath) -> R:
    """Return the `kind` that `data` holds; unknown and missing fields are errors.

    Raises: BundleError RM402 with the place in the file when `data` is not such a record.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise _undecodable(f"{len(data)} bytes, more than {MAX_RECORD_BYTES}", where)
    try:
        return msgspec.json.decode(data, type=kind, strict=True)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _undecodable(str(error), where) from error


def digest(data: bytes | Record) -> str:
    """Return the sha256 of bytes, or of a record's canonical encoding, as 64 hex digits."""
    return hashlib.sha256(data if isinstance(data, bytes) else encode(data)).hexdigest()


def _undecodable(why: str, where: str | PurePath) -> BundleError:
    return BundleError(
        Problem(
            code="RM402",
            fact=f"not a record that roofmark can read: {why[:_LONGEST]}",
            where=str(where),
            meaning="The file was changed, cut short, or written by another version.",
            mend="Take the file from its source again; `roofmark verify` says what else differs.",
        )
    )


def _check_finite(value: Any) -> None:
    """Walk a record's values; msgspec would write NaN as null and lose it silently."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a record holds {value!r}; absence and failure have their own cases")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check_finite(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            _check_finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_finite(item)
