"""Axes by name alone: shapes in which a number or an expression stood get an axis that is it.

In: a definition whose shapes are "B 1 d//2". Out: `NamedAxes`, whose shapes are lists of axes. What
follows from constants is a constant axis; what follows from open axes is an open one, which each
workload binds to its value.
"""

import re
from dataclasses import dataclass

from roofmark.expressions import evaluate
from roofmark.study import Definition, Study, Workload


@dataclass(frozen=True)
class NamedAxes:
    """axes: name -> size or "var". computed: open axis -> the expression that it stands for.

    shapes: tensor -> names of its axes. unused: open axes that no shape names as they are.
    """

    axes: dict[str, int | str]
    computed: dict[str, str]
    shapes: dict[str, list[str]]
    unused: tuple[str, ...]

    def bind(self, study: Study, workload: Workload) -> dict[str, int]:
        """Return the size of every open axis for one workload."""
        sizes = study.axes(workload)
        return {
            name: evaluate(self.computed.get(name, name), sizes)
            for name, size in self.axes.items()
            if size == "var"
        }


def name_axes(definition: Definition) -> NamedAxes:
    """Return the definition's shapes with a named axis for every size."""
    tensors = {**definition.inputs, **definition.outputs}
    shapes = {name: tensor.shape.split() for name, tensor in tensors.items()}
    used = {part for parts in shapes.values() for part in parts}
    unused = tuple(n for n, size in definition.axes.items() if size == "var" and n not in used)
    axes: dict[str, int | str] = {n: s for n, s in definition.axes.items() if n not in unused}
    fixed = {name: size for name, size in definition.axes.items() if isinstance(size, int)}
    names: dict[str, str] = {name: name for name in axes}
    computed: dict[str, str] = {}
    for part in dict.fromkeys(part for parts in shapes.values() for part in parts):
        if part in names:
            continue
        size = _size(part, fixed)
        names[part] = name = _name(size, axes, computed)
        axes[name] = size if isinstance(size, int) else "var"
        if isinstance(size, str):
            computed[name] = size
    named = {tensor: [names[part] for part in parts] for tensor, parts in shapes.items()}
    return NamedAxes(axes=axes, computed=computed, shapes=named, unused=unused)


def _size(part: str, fixed: dict[str, int]) -> int | str:
    """Return the size if constants give it, else the expression as it is."""
    try:
        return evaluate(part, fixed)
    except ValueError:
        return part


def _name(size: int | str, axes: dict[str, int | str], computed: dict[str, str]) -> str:
    """Return the axis that has this size already, or a name that is free."""
    name = re.sub(r"\W+", "_", f"size_{size}", flags=re.ASCII).rstrip("_")
    while name in axes and computed.get(name, axes[name]) != size:
        name += "_"
    return name
