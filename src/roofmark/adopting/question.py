"""The question that a FlashInfer-Trace definition asks, as a Definition and Workloads of ours.

In: a `ForeignDefinition` and its workloads. Out: our records, and notes on everything that had to
be chosen or left out. Values are drawn as FlashInfer-Bench draws what it calls random.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod

from msgspec import UNSET

from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import (
    ForeignDefinition,
    ForeignTensor,
    ForeignWorkload,
    ScalarInput,
    StoredInput,
)
from roofmark.records import Missing
from roofmark.study import DTYPE_BYTES, Definition, Exact, Integers, Tensor, Tolerance, Workload

REFERENCE = "roofmark_reference"
"""The function that is added to the reference."""

# Chosen: the reference rounds its outputs as a solution does, and sums in another order; this is
# about four times what one rounding to the dtype costs (float32: room for sums of thousands).
_TOLERANCES = {
    "float64": Tolerance(rms=1e-10, peak=1e-8),
    "float32": Tolerance(rms=1e-5, peak=1e-3),
    "float16": Tolerance(rms=2e-3, peak=0.02),
    "bfloat16": Tolerance(rms=1e-2, peak=0.05),
    "float8_e4m3fn": Tolerance(rms=0.1, peak=0.25),
    "float8_e5m2": Tolerance(rms=0.2, peak=0.5),
}
# Source: bench/utils.py of flashinfer-bench 0.1.2, where inputs of type random are drawn.
_INTEGERS = {"bool": Integers(0, 2), "int8": Integers(-128, 128), "uint8": Integers(0, 256)}
_OTHER_INTEGERS = Integers(-1024, 1024)
# Source: what older files write.
_DTYPES = {"float8_e4m3": "float8_e4m3fn"}
# Chosen: small, and no size that a kernel is tuned for; it only stands until it is filled in.
_UNKNOWN_SIZE = 17


def define(
    found: ForeignDefinition, workloads: Sequence[ForeignWorkload], notes: list[str]
) -> Definition:
    """Return the definition. workloads: those that will be asked; the first gives the scalars."""
    fixed = {name: size for name, size in found.axes.items() if isinstance(size, int)}
    inputs = {n: _tensor(one) for n, one in found.inputs.items() if not _is_scalar(one)}
    shared, outputs = _outputs(found)
    notes += [
        "TO FILL: the tolerance. The file holds none; this one follows from each output's dtype.",
        "TO FILL: flops. The file does not count them; 0 leaves the arithmetic roof out.",
        "Check traffic: every input and output once, which a lookup or a cache does not move.",
    ]
    whole = [n for n, one in inputs.items() if isinstance(one.values, Integers)]
    if whole:
        note = "integers of any value, where indices or lengths may be meant"
        notes.append(f"TO FILL: values of {', '.join(whole)}: {note}.")
    notes += [f"Constraint: {each}" for each in found.constraints]
    return Definition(
        name=plain_name(found.name),
        axes=found.axes,
        inputs=inputs,
        outputs=outputs,
        scalars=_scalars(found, workloads, notes),
        reference=f"reference.py::{REFERENCE}",
        # Its reference converts for itself, and would meet dtypes that it does not expect.
        reference_dtype="native",
        tolerance=shared,
        flops="0",
        traffic=_traffic([*inputs.values(), *outputs.values()], fixed),
    )


def ask(
    found: ForeignDefinition, workloads: Sequence[ForeignWorkload], notes: list[str]
) -> tuple[Workload, ...]:
    """Return the workloads, or one of made-up sizes where there are none."""
    open_axes = [name for name, size in found.axes.items() if size == "var"]
    if not workloads:
        if open_axes:
            notes.append(f"TO FILL: workloads. Without a file of them, every axis is open: "
                         f"{', '.join(open_axes)} = {_UNKNOWN_SIZE}.")  # fmt: skip
        return (Workload(axes=dict.fromkeys(open_axes, _UNKNOWN_SIZE)),)
    stored = Counter[str]()
    places: dict[str, str] = {}
    for each in workloads:
        for name, one in each.inputs.items():
            if isinstance(one, StoredInput):
                stored[name] += 1
                places.setdefault(name, f"{one.path}, {one.key}")
    for name, count in stored.items():
        notes.append(
            f"TO FILL: {name} has stored values there in {count} workloads (first: "
            f"{places[name]}); here they are drawn."
        )
    names = unique(plain_name(each.name) for each in workloads)
    return tuple(
        Workload(axes={n: each.axes[n] for n in open_axes if n in each.axes}, name=name)
        for name, each in zip(names, workloads, strict=True)
    )


def choose(
    found: ForeignDefinition, workloads: Sequence[ForeignWorkload], notes: list[str]
) -> tuple[ForeignWorkload, ...]:
    """Return the workloads that one study can ask: no empty axis, and scalars as the first has."""
    whole = [each for each in workloads if all(size > 0 for size in each.axes.values())]
    if len(whole) < len(workloads):
        notes.append(f"Left out: {len(workloads) - len(whole)} workloads with an axis of size 0.")
    names = [name for name, one in found.inputs.items() if _is_scalar(one)]
    kept = [each for each in whole if _values(each, names) == _values(whole[0], names)]
    if len(kept) < len(whole):
        notes.append(
            f"Left out: {len(whole) - len(kept)} workloads whose scalars ({', '.join(names)}) "
            "differ from the first's; a study has one value of each."
        )
    if workloads and not kept:
        raise no_counterpart("every workload has an axis of size 0", found.name, "Name others.")
    return tuple(kept)


def plain_name(name: str) -> str:
    """Return a name that files can have: letters, digits and . _ + -, at most 64 of them."""
    return re.sub(r"[^A-Za-z0-9._+-]", "-", name).lstrip("._+-")[:64] or "unnamed"


def unique(names: Iterable[str]) -> list[str]:
    """Return the names, each that was there before with a number, whatever the case."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        free, number = name, 1
        while free.lower() in taken:
            number += 1
            free = f"{name[:58]}-{number}"
        taken.add(free.lower())
        found.append(free)
    return found


def no_counterpart(fact: str, where: str, mend: str) -> ImportFailed:
    """Return the error for what no study can say."""
    return ImportFailed(problem("RM420", fact, where, mend))


def _is_scalar(tensor: ForeignTensor) -> bool:
    return isinstance(tensor.shape, Missing)


def _outputs(found: ForeignDefinition) -> tuple[Tolerance | Exact, dict[str, Tensor]]:
    """Return the first output's tolerance, and all outputs; those that need another have it."""
    allowed = {n: _TOLERANCES.get(_dtype(one), Exact()) for n, one in found.outputs.items()}
    shared = next(iter(allowed.values()))
    return shared, {
        name: Tensor(
            _shape(one),
            _dtype(one),
            tolerance=UNSET if allowed[name] == shared else allowed[name],
        )
        for name, one in found.outputs.items()
    }


def _tensor(found: ForeignTensor) -> Tensor:
    dtype = _dtype(found)
    if dtype == "bool" or dtype.startswith(("int", "uint")):
        return Tensor(_shape(found), dtype, _INTEGERS.get(dtype, _OTHER_INTEGERS))
    return Tensor(_shape(found), dtype)


def _dtype(found: ForeignTensor) -> str:
    return _DTYPES.get(found.dtype, found.dtype)


def _shape(found: ForeignTensor) -> str:
    """Return the axes; a scalar that comes out is a tensor without any."""
    return "" if isinstance(found.shape, Missing) else " ".join(found.shape)


def _values(workload: ForeignWorkload, names: Sequence[str]) -> list[float | int | None]:
    inputs = (workload.inputs.get(name) for name in names)
    return [one.value if isinstance(one, ScalarInput) else None for one in inputs]


def _scalars(
    found: ForeignDefinition, workloads: Sequence[ForeignWorkload], notes: list[str]
) -> dict[str, float | int]:
    names = [name for name, one in found.inputs.items() if _is_scalar(one)]
    given = _values(workloads[0], names) if workloads else [None] * len(names)
    scalars: dict[str, float | int] = {}
    for name, value in zip(names, given, strict=True):
        if value is None:
            notes.append(f"TO FILL: the scalar {name}. No workload gives it a value; here it is 1.")
        is_float = found.inputs[name].dtype.startswith(("float", "bfloat"))
        number = 1 if value is None else int(value) if isinstance(value, bool) else value
        scalars[name] = float(number) if is_float else number
    return scalars


def _traffic(tensors: Sequence[Tensor], fixed: dict[str, int]) -> str:
    """Return the bytes of all tensors as a sum over the open axes."""
    terms = Counter[str]()
    for tensor in tensors:
        parts = tensor.shape.split()
        sizes = [int(part) if part.isdecimal() else fixed.get(part, 1) for part in parts]
        axes = sorted(part for part in parts if not part.isdecimal() and part not in fixed)
        terms["*".join(axes)] += DTYPE_BYTES.get(tensor.dtype, 1) * prod(sizes)
    return " + ".join(f"{number}*{axes}" if axes else str(number) for axes, number in terms.items())
