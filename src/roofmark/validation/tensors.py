"""Do the definition's tensors make sense for every workload? Shapes, dtypes, values, costs.

In: a study whose fields have their types. Out: problems; one that every workload shares is told
once, with the first workload that shows it.
"""

import keyword
from collections import Counter
from collections.abc import Iterator
from math import prod

from msgspec import UnsetType

from roofmark.codes import problem
from roofmark.errors import Problem
from roofmark.expressions import evaluate
from roofmark.study import DTYPE_BYTES, Integers, Normal, Study, Tensor, Uniform, Values, Workload
from roofmark.validation.places import Places
from roofmark.validation.question import binds_axes, workload_place

INTEGERS = {
    "bool": (0, 1), "uint8": (0, 2**8 - 1), "uint16": (0, 2**16 - 1), "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**63 - 2), "int8": (-(2**7), 2**7 - 1), "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 2),
}  # fmt: skip
"""Source: torch.randint takes its bounds as int64 and excludes the upper one."""
FLOATS = tuple(name for name in DTYPE_BYTES if name not in INTEGERS)
DTYPES = tuple(DTYPE_BYTES)

# Chosen: no device of this decade holds a tebibyte; a larger call is an axis with a wrong size.
MOST_BYTES = 2**40


def find_tensor_problems(study: Study, places: Places) -> Iterator[Problem]:
    """Yield everything that is wrong with the definition's tensors and costs."""
    definition = study.definition
    yield from _names(study, places)
    for name, tensor in definition.inputs.items():
        where = places.of(f"definition.inputs[{name!r}]", f"key:{name}", "Definition.inputs")
        yield from _dtype(tensor, where)
        yield from _values(tensor.values, tensor, where)
        if not isinstance(tensor.tolerance, UnsetType):
            mend = "Move it to an output."
            yield problem("RM115", f"input {name!r} has a tolerance", where, mend)
    for name, tensor in definition.outputs.items():
        where = places.of(f"definition.outputs[{name!r}]", f"key:{name}", "Definition.outputs")
        yield from _dtype(tensor, where)
        if not isinstance(tensor.values, UnsetType):
            mend = "Outputs are poisoned before each call; declare an input and `mutable`."
            yield problem("RM115", f"output {name!r} has values", where, mend)
    for name in definition.mutable:
        if name not in definition.inputs:
            where = places.of("definition.mutable", "Definition.mutable")
            mend = f"Inputs: {', '.join(definition.inputs) or 'none'}."
            yield problem("RM116", f"mutable {name!r} is no input", where, mend)
    yield from _workload_values(study, places)
    yield from _sizes(study, places)


def _names(study: Study, places: Places) -> Iterator[Problem]:
    definition = study.definition
    where = places.of("definition", "Definition")
    names = [*definition.inputs, *definition.scalars, *definition.outputs]
    for name, count in Counter(names).items():
        if not name.isidentifier() or keyword.iskeyword(name):
            yield problem("RM113", f"{name!r} cannot be a parameter", where, "Rename it.")
        if count > 1:
            fact = f"{name!r} names {count} of inputs, scalars and outputs"
            yield problem("RM113", fact, where, "Rename all but one.")
    if not definition.outputs:
        yield problem("RM106", "the definition has no outputs", where, "Declare what is computed.")


def _dtype(tensor: Tensor, where: str) -> Iterator[Problem]:
    if tensor.dtype not in DTYPES:
        mend = f"Known: {', '.join(DTYPES)}."
        yield problem("RM131", f"dtype {tensor.dtype!r}", where, mend)


def _values(values: Values | UnsetType, tensor: Tensor, where: str) -> Iterator[Problem]:
    """Check a distribution; without one a float is drawn from Normal()."""
    dtype = tensor.dtype
    match values:
        case UnsetType() if dtype in INTEGERS:
            mend = "Give it values=Integers(low, high); high is excluded."
            yield problem("RM114", f"a {dtype} input without values", where, mend)
        case Normal() | Uniform() if dtype in INTEGERS:
            mend = "Use Integers(low, high)."
            yield problem("RM114", f"{type(values).__name__} values in {dtype}", where, mend)
        case Integers() if dtype in FLOATS:
            yield problem("RM114", f"Integers in {dtype}", where, "Use Normal or Uniform.")
        case Integers(low=low, high=high) | Uniform(low=low, high=high) if low >= high:
            fact = f"values from {low} up to, excluding, {high}: there are none"
            yield problem("RM114", fact, where, "Let low be less than high.")
        case Normal(unit=True) if not tensor.shape.split():
            mend = "Leave out unit=True, or give the tensor an axis."
            yield problem("RM114", "unit rows in a tensor without axes", where, mend)
        case Integers(low=low, high=high) if dtype in INTEGERS:
            least, most = INTEGERS[dtype]
            if low < least or high - 1 > most:
                mend = f"{dtype} holds {least} to {most}."
                yield problem("RM114", f"Integers({low}, {high}) in {dtype}", where, mend)
        case _:
            pass


def _workload_values(study: Study, places: Places) -> Iterator[Problem]:
    inputs = study.definition.inputs
    for number, workload in enumerate(study.workloads):
        where = workload_place(workload, number, places)
        for name, values in workload.values.items():
            if name in inputs:
                yield from _values(values, inputs[name], where)
            else:
                mend = f"Inputs: {', '.join(inputs) or 'none'}."
                yield problem("RM114", f"values for {name!r}, which is no input", where, mend)


def _sizes(study: Study, places: Places) -> Iterator[Problem]:
    """Evaluate every shape and cost on every workload whose axes are bound."""
    told: set[tuple[str, str]] = set()
    for number, workload in enumerate(study.workloads):
        if not binds_axes(study, workload):
            continue
        shown = workload_place(workload, number, places)
        for part, fact, key in _size_faults(study, workload):
            if (part, key) not in told:
                told.add((part, key))
                code = "RM128" if key == "large" else "RM109"
                where = f"{places.of(part, *_keys(part))}; {shown}"
                mend = f"Axes: {', '.join(study.definition.axes) or 'none'}."
                yield problem(code, fact, where, mend)


def _size_faults(study: Study, workload: Workload) -> Iterator[tuple[str, str, str]]:
    """Yield (part, fact, kind of fault)."""
    axes, definition, total = study.axes(workload), study.definition, 0
    for side, tensors in (("inputs", definition.inputs), ("outputs", definition.outputs)):
        for name, tensor in tensors.items():
            part = f"definition.{side}[{name!r}]"
            try:
                dims = tensor.dims(axes)
            except ValueError as error:
                yield part, f"shape {tensor.shape!r}: {error}", str(error)
                continue
            if any(size < 1 for size in dims):
                yield part, f"shape {tensor.shape!r} is {dims}", "empty"
            total += prod(dims) * DTYPE_BYTES.get(tensor.dtype, 8)
    if total > MOST_BYTES:
        yield "definition", f"one call takes {total / 2**40:.0f} TiB of tensors", "large"
    # A kernel that only moves data has no flops; none moves no bytes.
    for name, least in (("flops", 0), ("traffic", 1)):
        cost: str = getattr(definition, name)
        try:
            value = evaluate(cost, axes)
        except ValueError as error:
            yield f"definition.{name}", f"{name} {cost!r}: {error}", str(error)
            continue
        if value < least:
            yield f"definition.{name}", f"{name} {cost!r} is {value}", "least"


def _keys(part: str) -> tuple[str, ...]:
    if "[" in part:
        return (f"key:{part.split(chr(39))[1]}", "Definition")
    return (part.replace("definition", "Definition"), "Definition")
