"""Does every field hold what its record declares? msgspec checks when it decodes, not before.

In: a study as its author built it. Out: one problem per field that could not be stored and read
back, with its place ("definition.inputs['x'].dtype"), all at once where decoding stops at the
first.
"""

import math
import types
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from roofmark.codes import problem
from roofmark.errors import Problem
from roofmark.validation.places import Spot

# msgspec would write each of these as a string or a list and read back something else; of a set,
# in an order that differs from run to run.
_FOREIGN = (
    set, frozenset, bytes, bytearray, memoryview, datetime, date, time, timedelta, Decimal, UUID,
)  # fmt: skip


def find_type_problems(value: Any, kind: Any, spot: Spot) -> Iterator[Problem]:
    """Yield a problem for every leaf of `value` that does not fit `kind`."""
    plain = _plain(kind)
    cases = [_plain(case) for case in get_args(plain)] if _is_union(plain) else [plain]
    records = [case for case in cases if isinstance(case, type) and _is_record(case)]
    if isinstance(value, msgspec.Struct) and type(value) in records:
        record = type(value)
        for each in msgspec.structs.fields(record):
            below = spot.field(record.__name__, each.name)
            yield from find_type_problems(getattr(value, each.name), each.type, below)
    elif isinstance(value, dict) and get_origin(plain) is dict:
        key_kind, item_kind = get_args(plain)
        for key, item in value.items():
            yield from _leaf(key, key_kind, [], spot)
            yield from find_type_problems(item, item_kind, spot.key(key))
    elif isinstance(value, list | tuple) and get_args(plain)[1:] == (...,):
        for number, item in enumerate(value):
            below = spot.item(number, getattr(item, "name", None))
            yield from find_type_problems(item, get_args(plain)[0], below)
    else:
        yield from _leaf(value, kind, records, spot)


def _leaf(value: Any, kind: Any, records: list[type], spot: Spot) -> Iterator[Problem]:
    why = _misfit(value, kind, records)
    if why:
        mend = f"Give it {_describe(kind)}."
        yield problem("RM103", f"{spot.path} {why}", spot.where, mend)


def _misfit(value: Any, kind: Any, records: list[type]) -> str:
    """Return why a leaf does not fit, or nothing."""
    if value is UNSET and UnsetType in get_args(kind):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}"
    if isinstance(value, _FOREIGN) or (records and not isinstance(value, str | int | float)):
        return f"is {value!r} of type {type(value).__name__}"
    try:
        msgspec.convert(msgspec.to_builtins(value), kind, strict=True)
        # What no file can hold (half a surrogate pair) is found by writing it.
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return f"is {value!r}: {str(error).partition(' - at')[0]}"
    return ""


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _is_record(kind: type) -> bool:
    return issubclass(kind, msgspec.Struct)


def _describe(kind: Any) -> str:
    plain = _plain(kind)
    names = [getattr(case, "__name__", str(case)) for case in get_args(plain)]
    if _is_union(plain):
        return " or ".join(name for name in names if name != "UnsetType")
    return str(getattr(plain, "__name__", plain)) if not names else str(plain)
