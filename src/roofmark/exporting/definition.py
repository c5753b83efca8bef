"""The definition, and its workloads, as FlashInfer-Trace has them.

In: a study, its sources. Out: the values of definitions/*.json and of lines of workloads/*.jsonl.
The reference is the study's own file with a function `run` behind it, which takes the inputs by
position, converts them as the referee does, and returns outputs in the declared dtypes.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.exporting.axes import NamedAxes
from roofmark.expressions import evaluate
from roofmark.study import Definition, Study, Workload

# Source: data/definition.py of flashinfer-bench 0.1.2, without what torch cannot compute with.
_DTYPES = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2",
           "int64", "int32", "int16", "int8", "bool")  # fmt: skip
_RUN = """

# --- added by `roofmark export` ---
# Inputs come by position; floating ones are converted as the study's referee does it.
import torch as _torch

_study_reference = {function}


def run({names}):
    found = _study_reference(
        {arguments},
    )
    if isinstance(found, dict):
        found = [found[name] for name in {outputs!r}]
    if isinstance(found, _torch.Tensor):
        found = [found]
    return {returned}
"""


def definition_values(
    study: Study, contents: Mapping[str, bytes], named: NamedAxes, op_type: str
) -> dict[str, Any]:
    """Return the definition. Raises: BundleError RM420 for what no definition there can be."""
    definition = study.definition
    tensors = {**definition.inputs, **definition.outputs}
    for name, tensor in tensors.items():
        if tensor.dtype not in _DTYPES:
            mend = f"FlashInfer-Trace has {', '.join(_DTYPES)}."
            raise no_counterpart(f"{name} has the dtype {tensor.dtype}", "definition", mend)
    shown = {
        name: {"shape": named.shapes[name], "dtype": tensor.dtype}
        for name, tensor in tensors.items()
    }
    scalars = {
        name: {"shape": None, "dtype": "int64" if isinstance(value, int | str) else "float32"}
        for name, value in _scalars(definition).items()
    }
    return {
        "name": definition.name,
        "op_type": op_type,
        "description": study.title or f"{definition.name}, exported by roofmark",
        "axes": {name: _axis(size) for name, size in named.axes.items()},
        "constraints": [f"{name} == {text}" for name, text in named.computed.items()],
        "inputs": {name: shown[name] for name in definition.inputs} | scalars,
        "outputs": {name: shown[name] for name in definition.outputs},
        "reference": _reference(definition, contents),
    }


def workload_values(study: Study, workload: Workload, named: NamedAxes) -> dict[str, Any]:
    """Return one workload: tensors are random there, scalars have their values."""
    sizes = study.axes(workload)
    inputs: dict[str, Any] = {name: {"type": "random"} for name in study.definition.inputs}
    for name, value in _scalars(study.definition).items():
        number = evaluate(value, sizes) if isinstance(value, str) else value
        inputs[name] = {"type": "scalar", "value": number}
    return {"uuid": workload.id, "axes": named.bind(study, workload), "inputs": inputs}


def arguments_of(definition: Definition) -> tuple[str, ...]:
    """Return the names of inputs and scalars in the order in which they are passed."""
    return (*definition.inputs, *definition.scalars)


def text_of(contents: Mapping[str, bytes], path: str) -> str:
    """Return a source's text. Raises: BundleError RM420 if it is none."""
    try:
        return contents[path].decode("utf-8")
    except UnicodeDecodeError as error:
        fact = f"{path} is no UTF-8 text: byte {error.start}"
        raise no_counterpart(fact, path, "Save it as UTF-8 and run the study again.") from error


def no_counterpart(fact: str, where: str, mend: str) -> BundleError:
    """Return the error for what FlashInfer-Trace cannot say at all."""
    return BundleError(problem("RM420", fact, where, mend))


def _scalars(definition: Definition) -> Mapping[str, object]:
    return definition.scalars


def _axis(size: int | str) -> dict[str, Any]:
    return {"type": "const", "value": size} if isinstance(size, int) else {"type": "var"}


def _reference(definition: Definition, contents: Mapping[str, bytes]) -> str:
    path, _, function = definition.reference.partition("::")
    text = text_of(contents, path)
    _check_run(text, path)
    names = arguments_of(definition)
    return text + _RUN.format(
        function=function,
        names=", ".join(names),
        arguments=",\n        ".join(_converted(definition)),
        outputs=tuple(definition.outputs),
        returned=", ".join(
            f"found[{number}].to(_torch.{tensor.dtype})"
            for number, tensor in enumerate(definition.outputs.values())
        ),
    )


def _converted(definition: Definition) -> Iterator[str]:
    """Yield each argument as the referee passes it."""
    wider = definition.reference_dtype
    for name, tensor in definition.inputs.items():
        converts = wider != "native" and tensor.dtype.startswith(("float", "bfloat"))
        yield f"{name}={name}.to(_torch.{wider})" if converts else f"{name}={name}"
    yield from (f"{name}={name}" for name in definition.scalars)


def _check_run(text: str, path: str) -> None:
    """Raise RM420 where the file calls a `run` of its own, which ours would replace."""
    nodes = list(ast.walk(ast.parse(text)))
    calls = any(
        isinstance(n, ast.Name) and n.id == "run" and isinstance(n.ctx, ast.Load) for n in nodes
    )
    if calls:
        fact = f"{path} uses the name `run`, which is the reference's own there"
        raise no_counterpart(fact, path, "Rename it and run the study again.")
