"""flashinfer_workload: FlashInfer-Trace workloads: axes that are bound, and where inputs come from.

In: JSONL of `definition` and `workload` (uuid, axes, inputs of type random, scalar or safetensors)
without an evaluation. Out: `ForeignWorkloads`, one for each definition. A file that an input names
is not opened. Lines with an evaluation are results, which `flashinfer_bench` reads.
"""

import re
from collections.abc import Iterable
from typing import Any

from roofmark.foreign import (
    ForeignWorkload,
    ForeignWorkloads,
    Imported,
    RandomInput,
    ScalarInput,
    StoredInput,
)
from roofmark.importers.json_text import has_all, read_objects
from roofmark.importers.reported import Gathered, imported, mapping, plain
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_WORKLOAD = re.compile(rb'"workload"\s*:\s*\{')
_EVALUATION = re.compile(rb'"evaluation"\s*:\s*\{')
# Source: integers of our records have 64 bits.
_LARGEST = 1 << 63

_Input = RandomInput | ScalarInput | StoredInput


def recognises(head: bytes) -> bool:
    """Whether workloads stand here, none of them evaluated."""
    known = has_all(head, b"definition", b"workload") and _WORKLOAD.search(head) is not None
    return known and _EVALUATION.search(head) is None


def read(file: ForeignFile) -> Imported:
    """Return every workload, by definition. Raises: ImportFailed RM416, RM417."""
    objects = read_objects(file)
    gathered = Gathered(reasons=list(objects.reasons), notes=list(objects.notes))
    found: dict[str, dict[str, ForeignWorkload]] = {}
    evaluated = 0
    for line in objects.found:
        evaluated += line.values.get("evaluation") is not None
        try:
            definition = _text(line.values.get("definition"), "definition")
            workload = _workload(mapping(line.values.get("workload")))
        except ValueError as error:
            gathered.reasons.append(f"line {line.line}: {error}")
            continue
        same = found.setdefault(definition, {})
        if same.setdefault(workload.name, workload) != workload:
            gathered.reasons.append(f"line {line.line}: a second workload {workload.name}")
    if evaluated:
        note = f"{evaluated} lines have an evaluation: --format flashinfer_bench reads it"
        gathered.notes.append(note)
    tool = Missing(reason="a workload does not name the version of its schema")
    return imported(file, "flashinfer_workload", tool, _contents(found), gathered)


def _contents(found: dict[str, dict[str, ForeignWorkload]]) -> Iterable[ForeignWorkloads]:
    for definition, workloads in found.items():
        yield ForeignWorkloads(definition=definition, workloads=tuple(workloads.values()))


def _workload(values: dict[str, Any]) -> ForeignWorkload:
    """Return one workload. Raises: ValueError that says what is no part of one."""
    name = _text(values.get("uuid"), "uuid")
    axes: dict[str, int] = {}
    for axis, size in mapping(values.get("axes")).items():
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < _LARGEST:
            raise ValueError(f"workload {name}: axis {plain(axis)} is {plain(size, 60)}")
        axes[plain(axis)] = size
    inputs = mapping(values.get("inputs")).items()
    return ForeignWorkload(
        name=name,
        axes=axes,
        inputs={
            plain(each): _input(f"{name}: {plain(each)}", mapping(one)) for each, one in inputs
        },
    )


def _input(where: str, values: dict[str, Any]) -> _Input:
    kind, value = values.get("type"), values.get("value")
    if kind == "random":
        return RandomInput()
    if kind == "safetensors":
        path, key = (_text(values.get(name), f"{where}: {name}") for name in ("path", "tensor_key"))
        return StoredInput(path=path, key=key)
    if kind != "scalar":
        raise ValueError(f"workload {where} has the type {plain(kind, 60)}")
    if not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise ValueError(f"workload {where} has the value {plain(value, 60)}")
    return ScalarInput(value=value)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} is {plain(value, 60) or 'blank'}")
    return plain(value)
