"""Alike: whether two stations are one device model with one software, so that sets may be pooled.

In: stations. Out: why not, or nothing. Pure. One product name covers several memory sizes, power
limits and partitions; another torch is another baseline. What is not alike is refused.
"""

from collections.abc import Sequence
from typing import Any

from roofmark.evidence import Environment
from roofmark.records import Missing, encode
from roofmark.stations import Station
from roofmark.study import Device, Tier

_SOFTWARE = ("python", "packages")
_MODEL: dict[Device, tuple[str, ...]] = {
    "cuda": (
        "gpu.name", "gpu.compute_capability", "gpu.multiprocessors", "gpu.memory", "gpu.mig",
        "gpu.power_limit", "gpu.max_clock", "gpu.driver",
    ),
    "cpu": ("cpu.model", "cpu.cores", "cpu.isa", "os"),
}  # fmt: skip
# What only the host's own time depends on.
_HOST = ("cpu.model", "cpu.cores")


def differing_fields(a: Environment, b: Environment, fields: Sequence[str]) -> list[str]:
    """Return those of the fields, such as "gpu.driver", in which two machines differ."""
    return [field for field in fields if encode(_look_up(a, field)) != encode(_look_up(b, field))]


def unlike(reference: Station, other: Station, device: Device, tier: Tier) -> str:
    """Return why the sets of two stations may not be pooled, or nothing."""
    fields = (*_MODEL[device], *_SOFTWARE)
    if device == "cuda" and tier == "call":
        fields += _HOST
    a, b = reference.environment, other.environment
    told = [_told(a, b, field) for field in differing_fields(a, b, fields)]
    if reference.skipped != other.skipped:
        odd = sorted(reference.skipped.items() ^ other.skipped.items())
        told.append(f"it skips other solutions: {odd[0][0]} ({odd[0][1]})")
    return "; ".join(told)


def choose_reference(stations: Sequence[Station], device: Device, tier: Tier) -> Station:
    """Return the first of the largest group of stations that are alike."""

    def group(of: Station) -> int:
        return sum(not unlike(of, each, device, tier) for each in stations)

    return max(stations, key=group)


def _look_up(environment: Environment, field: str) -> Any:
    value: Any = environment
    for part in field.split("."):
        if isinstance(value, Missing):
            return value
        value = getattr(value, part)
    # Drivers report the same memory with some megabytes more or less.
    return round(value / 2**30) if field == "gpu.memory" else value


def _told(a: Environment, b: Environment, field: str) -> str:
    mine, theirs = _look_up(a, field), _look_up(b, field)
    if isinstance(mine, dict) and isinstance(theirs, dict):
        names = sorted(n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n))
        field = f"{field}.{names[0]}"
        mine, theirs = mine.get(names[0], "absent"), theirs.get(names[0], "absent")
    return f"{field} is {_words(theirs)}, not {_words(mine)}"


def _words(value: Any) -> str:
    return f"unknown ({value.reason})" if isinstance(value, Missing) else str(value)
