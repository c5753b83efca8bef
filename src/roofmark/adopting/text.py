"""The text of a study.py: a Study as its author would have written it, with what is to be filled.

In: a study. Out: Python. Strings are written as JSON writes them, which Python reads alike, so that
no name from a foreign file can end its line. A test loads the text and compares it with the study.
"""

import json
from collections.abc import Iterable, Iterator

from msgspec import UnsetType

from roofmark.records import Record
from roofmark.study import (
    Definition,
    Exact,
    Integers,
    Solution,
    Study,
    Tensor,
    Tolerance,
    Workload,
)

_HEAD = '''\
"""The study, made by `roofmark new` from a FlashInfer-Trace definition.

In: nothing. Out: `study`. Lines under TO FILL hold what that format does not say; README.md lists
everything that was chosen or left out.
"""

import roofmark as rm

study = rm.Study(
'''


def study_text(study: Study) -> str:
    """Return the text of study.py."""
    lines = [
        f"title={_text(study.title)},",
        "definition=rm.Definition(",
        *_indented(_definition(study.definition)),
        "),",
        "workloads=[",
        *_indented(map(_workload, study.workloads)),
        "],",
        "solutions=[",
        *_indented(line for each in study.solutions for line in _solution(each)),
        "],",
        f"baseline={_text(study.baseline)},",
    ]
    return "\n".join([_HEAD.rstrip("\n"), *_indented(lines), ")"]) + "\n"


def _definition(definition: Definition) -> Iterator[str]:
    yield f"name={_text(definition.name)},"
    yield f"axes={{{', '.join(f'{_text(n)}: {_size(s)}' for n, s in definition.axes.items())}}},"
    yield from ("inputs={", *_indented(map(_tensor, definition.inputs.items())), "},")
    if definition.scalars:
        shown = (f"{_text(name)}: {value!r}" for name, value in definition.scalars.items())
        yield f"scalars={{{', '.join(shown)}}},"
    yield from ("outputs={", *_indented(map(_tensor, definition.outputs.items())), "},")
    yield f"reference={_text(definition.reference)},"
    yield "# Its reference converts what it wants converted."
    yield f"reference_dtype={_text(definition.reference_dtype)},"
    yield "# TO FILL: of outputs without one of their own; about four roundings to their dtype."
    yield f"tolerance={_tolerance(definition.tolerance)},"
    yield '# TO FILL: the file does not count them; "0" leaves the arithmetic roof out.'
    yield f"flops={_text(definition.flops)},"
    yield "# Check: every input and output once."
    yield f"traffic={_text(definition.traffic)},"


def _size(size: int | str) -> str:
    return "rm.VAR" if size == "var" else str(size)


def _tensor(item: tuple[str, Tensor]) -> str:
    name, tensor = item
    parts = [_text(tensor.shape), _text(tensor.dtype)]
    note = ""
    if isinstance(tensor.values, Integers):
        parts.append(f"rm.Integers({tensor.values.low}, {tensor.values.high})")
        note = "  # TO FILL: any value, where indices may be meant"
    if isinstance(tensor.tolerance, Record):
        parts.append(f"tolerance={_tolerance(tensor.tolerance)}")
    return f"{_text(name)}: rm.Tensor({', '.join(parts)}),{note}"


def _tolerance(tolerance: Tolerance | Exact) -> str:
    if isinstance(tolerance, Exact):
        return "rm.Exact()"
    return f"rm.Tolerance(rms={tolerance.rms!r}, peak={tolerance.peak!r})"


def _workload(workload: Workload) -> str:
    axes = ", ".join(f"{_text(name)}: {size}" for name, size in workload.axes.items())
    name = f", name={_text(workload.name)}" if isinstance(workload.name, str) else ""
    return f"rm.Workload(axes={{{axes}}}{name}),"


def _solution(solution: Solution) -> Iterator[str]:
    yield "rm.Solution("
    yield from _indented([f"{_text(solution.name)},", f"{_text(solution.entry)},"])
    for field in ("sources", "flags", "devices", "requires"):
        values: tuple[str, ...] | UnsetType = getattr(solution, field)
        if not isinstance(values, UnsetType) and values:
            yield f"    {field}=("
            yield from (f"        {_text(each)}," for each in values)
            yield "    ),"
    yield "),"


def _indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
