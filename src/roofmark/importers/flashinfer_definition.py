"""flashinfer_definition: a FlashInfer-Trace definition: axes, tensors and the reference's source.

In: JSON with `axes` of type const or var, `inputs`, `outputs` and `reference`. Out: a
`ForeignDefinition`. The reference is kept as text and never parsed or run. What a definition of
ours needs beyond that (tolerance, flops, traffic) the file does not hold, and a note says so.
"""

import re
from typing import Any, Literal

from roofmark.foreign import ForeignDefinition, ForeignTensor, Imported
from roofmark.importers.json_text import has_all, read_object
from roofmark.importers.reported import (
    Gathered,
    imported,
    mapping,
    plain,
    sequence,
    text_or_missing,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_AXIS = re.compile(rb'"type"\s*:\s*"(?:const|var)"')
_RUN = re.compile(r"^def run\(", re.MULTILINE)
# Chosen: a reference has some hundred lines; a megabyte is no reference.
_LONGEST_REFERENCE = 1 << 20
# Chosen: no tensor that fits a GPU has an axis as long as a signed 64-bit integer can tell.
_LONGEST_AXIS = 1 << 63
_SIDES = ("inputs", "outputs")


def recognises(head: bytes) -> bool:
    """Whether axes of type const or var stand beside inputs and outputs."""
    return has_all(head, b"axes", b"inputs", b"outputs") and _AXIS.search(head) is not None


def read(file: ForeignFile) -> Imported:
    """Return the definition. Raises: ImportFailed RM416, RM417."""
    values = read_object(file)
    name = text_or_missing(values.get("name"), "no name")
    if isinstance(name, Missing):
        raise file.malformed("the object that begins on line 1 has no `name`")
    gathered = Gathered()
    axes = _axes(mapping(values.get("axes")), gathered)
    sides = [_tensors(side, mapping(values.get(side)), axes, gathered) for side in _SIDES]
    if not axes or not all(sides):
        why = gathered.reasons[0] if gathered.reasons else "axes, inputs or outputs are absent"
        raise file.malformed(f"definition {name}: {why}")
    definition = ForeignDefinition(
        name=name,
        kind=text_or_missing(values.get("op_type", values.get("type")), "no operator type"),
        axes=axes,
        inputs=sides[0],
        outputs=sides[1],
        reference=_reference(file, values.get("reference"), gathered),
        constraints=tuple(plain(one) for one in sequence(values.get("constraints"))),
    )
    gathered.notes.append("The file holds no tolerance and no cost; a study has to declare them.")
    tool = Missing(reason="a definition does not name the version of its schema")
    return imported(file, "flashinfer_definition", tool, (definition,), gathered)


def _axes(found: dict[str, Any], gathered: Gathered) -> dict[str, int | Literal["var"]]:
    """Return sizes of constant axes and "var" for the others; name those that are neither."""
    axes: dict[str, int | Literal["var"]] = {}
    for name, one in found.items():
        axis = mapping(one)
        size = axis.get("value")
        if axis.get("type") == "var":
            axes[plain(name)] = "var"
        elif isinstance(size, int) and not isinstance(size, bool) and 0 < size < _LONGEST_AXIS:
            axes[plain(name)] = size
        else:
            gathered.reasons.append(f"axis {plain(name)} is neither a size nor var: {plain(one)}")
    return axes


def _tensors(
    side: str,
    found: dict[str, Any],
    axes: dict[str, int | Literal["var"]],
    gathered: Gathered,
) -> dict[str, ForeignTensor]:
    """Return tensors whose dtype and axes are known; name the others."""
    tensors: dict[str, ForeignTensor] = {}
    for name, one in found.items():
        tensor = mapping(one)
        dtype = text_or_missing(tensor.get("dtype"), "no dtype")
        shape = tuple(plain(axis) for axis in sequence(tensor.get("shape")))
        unknown = [axis for axis in shape if axis not in axes and not axis.isdecimal()]
        if isinstance(dtype, Missing) or unknown:
            why = f"axis {unknown[0]} is not defined" if unknown else "it has no dtype"
            gathered.reasons.append(f"{side}, {plain(name)}: {why}")
            continue
        scalar = not isinstance(tensor.get("shape"), list)
        tensors[plain(name)] = ForeignTensor(
            shape=Missing(reason="a scalar has no shape") if scalar else shape, dtype=dtype
        )
    return tensors


def _reference(file: ForeignFile, value: object, gathered: Gathered) -> str | Missing:
    """Return the source as it is, but for what no text file can hold."""
    if not isinstance(value, str) or not value.strip():
        gathered.reasons.append("there is no reference")
        return Missing(reason="the file holds no reference")
    if len(value) > _LONGEST_REFERENCE:
        raise file.malformed(f"the reference has {len(value):,} characters")
    if not _RUN.search(value):
        gathered.notes.append("The reference defines no function `run` at its top level.")
    return value.encode("utf-8", "replace").decode("utf-8")
