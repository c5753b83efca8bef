"""perf_baseline: pinned rates of an engine, with the method by which they were pinned.

In: JSON with `metrics` in groups whose names end in their unit (`prefill_tps`, `memory_mb`) and,
in newer pins, `methodology` and a note. Out: `Figures` whose settings hold method, repetitions and
device, so that two pins of different method can be told apart before they are compared.
"""

import re
from typing import Any

from roofmark.foreign import Imported
from roofmark.importers.json_text import has_all, read_object
from roofmark.importers.reported import (
    Gathered,
    imported,
    mapping,
    plain,
    positive,
    settings_of,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

# Source: the pins' own group names; a rate is tokens per second, a memory size stays in MB.
_UNITS = {"tps": "tok/s", "mb": "MB", "ms": "s", "us": "s"}
_FACTORS = {"ms": 1e-3, "us": 1e-6}
_ESTIMATOR = re.compile(r"^((?:median|mean|minimum|maximum|min|max|best)\b[^,;]{0,80})")


def recognises(head: bytes) -> bool:
    """Whether groups of pinned rates are there."""
    return has_all(head, b"metrics") and (b'"decode_tps"' in head or b'"prefill_tps"' in head)


def read(file: ForeignFile) -> Imported:
    """Return every pinned number. Raises: ImportFailed RM416, RM417."""
    values = read_object(file)
    gathered = Gathered()
    settings = settings_of(values, skip=("metrics", "thresholds", "_note"))
    for name, limit in mapping(values.get("thresholds")).items():
        settings[plain(f"threshold {name}")] = plain(limit)
    for name, group in mapping(values.get("metrics")).items():
        _group(name, mapping(group), _estimator(values), gathered)
    if "methodology" not in settings:
        gathered.notes.append("The pin does not say by which method it was measured.")
    if isinstance(values.get("_note"), str):
        gathered.notes.append(plain(f"The file's own note: {values['_note']}", 600))
        settings["_note"] = plain(values["_note"], 4000)
    tool = Missing(reason="the pin names no tool")
    return imported(file, "perf_baseline", tool, gathered.contents(settings), gathered)


def _group(name: str, group: dict[str, Any], estimator: str, gathered: Gathered) -> None:
    """Keep a group's numbers in the unit that its name ends in."""
    what, _, suffix = name.rpartition("_")
    if suffix not in _UNITS or not what:
        gathered.reasons.append(f"metrics, {plain(name)}: the name tells no unit")
        return
    for label, value in group.items():
        number = positive(value, _FACTORS.get(suffix, 1.0))
        kind = "as listed" if suffix == "mb" else estimator
        gathered.add(plain(f"{what} {label}"), number, _UNITS[suffix], kind)


def _estimator(values: dict[str, Any]) -> str:
    """Return how the method describes its numbers, in its own words up to the first comma."""
    method = values.get("methodology")
    found = _ESTIMATOR.match(method) if isinstance(method, str) else None
    if found:
        return plain(found[1].strip())
    reps = positive(values.get("reps"))
    return "not stated" if isinstance(reps, Missing) else f"not stated, {reps:g} repetitions"
