"""A solution becomes a call: checked against the definition once, then bound to memory.

In: a solution's own files, or the proved bytes of its library. Out: an `Entry`. Everything that can
be worked out before a timed call is: a bound thunk does no lookups. What it returns is checked and
stored after the clock has stopped.

tvm-ffi takes torch's current stream with every call that has a CUDA tensor among its arguments
(torch's DLPack exchange interface names it), so streams and graph capture need nothing from here.
"""

import functools
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.build import BuildError, build_python
from roofmark.bench.importing import import_file
from roofmark.bench.sealed import load_sealed
from roofmark.bench.signature import Convention, read_convention
from roofmark.evidence import Build
from roofmark.study import Definition, Solution

Tensors = Mapping[str, torch.Tensor]


class WrongOutput(Exception):
    """A solution returned something else than the definition declares."""


@dataclass(frozen=True)
class Entry:
    """A loaded solution. build: proof of a Python solution; a library has brought its own."""

    name: str
    function: Callable[..., Any]
    how: Convention
    outputs: tuple[str, ...]
    build: Build | None

    def bind(
        self, inputs: Tensors, scalars: Mapping[str, float], outputs: Tensors
    ) -> Callable[[], Any]:
        """Return a thunk over these tensors; calling it is all that is timed."""
        given = {**inputs, **scalars, **outputs}
        return functools.partial(
            self.function,
            *(given[name] for name in self.how.positional),
            **{name: given[name] for name in self.how.keyword},
        )

    def store(self, result: Any, outputs: Tensors) -> None:
        """Check what a call returned and copy it where the referee looks. Raises: WrongOutput."""
        if self.how.writes:
            if result is not None and not self._same(result, outputs):
                raise WrongOutput(
                    f"error[RM107]: solution {self.name!r} takes its outputs as arguments and yet "
                    f"returned another {type(result).__name__}; write into them and return nothing"
                )
            return
        # A result that carries a gradient must not draw the shared arena into its graph.
        with torch.no_grad():
            for name, value in self._named(result).items():
                outputs[name].copy_(self._checked(name, value, outputs[name]))

    def _same(self, result: Any, outputs: Tensors) -> bool:
        """Whether it returned the outputs it was given, as torch's `out=` functions do."""
        found: list[Any] = list(result) if isinstance(result, tuple | list) else [result]
        written = [outputs[name] for name in self.outputs]
        return len(found) == len(written) and all(
            a is b for a, b in zip(found, written, strict=True)
        )

    def _named(self, result: Any) -> dict[str, Any]:
        if isinstance(result, torch.Tensor):
            result = (result,)
        if isinstance(result, dict) and set(result) == set(self.outputs):
            return {str(name): value for name, value in result.items()}
        if isinstance(result, tuple | list) and len(result) == len(self.outputs):
            return dict(zip(self.outputs, result, strict=True))
        raise WrongOutput(
            f"error[RM107]: solution {self.name!r} returned {_describe(result)}; the definition "
            f"has the outputs {', '.join(self.outputs)}, to be returned in this order"
        )

    def _checked(self, name: str, value: Any, wanted: torch.Tensor) -> torch.Tensor:
        # A subclass of Tensor could compute when it is looked at, after the clock has stopped.
        if type(value) is not torch.Tensor:
            raise WrongOutput(
                f"error[RM107]: solution {self.name!r} returned {name} as {type(value).__name__}; "
                f"the definition says a plain torch.Tensor"
            )
        for what in ("dtype", "shape", "device"):
            has, should = getattr(value, what), getattr(wanted, what)
            if has != should:
                raise WrongOutput(
                    f"error[RM107]: solution {self.name!r} returned {name} with {what} {has}; the "
                    f"definition says {should}. Convert before returning, or mend the definition"
                )
        return value


def load_entry(
    solution: Solution,
    definition: Definition,
    folder: Path,
    library: Path | None,
    binary: str | None,
) -> Entry:
    """Return the solution's entry.

    library, binary: of a C++ or CUDA solution, as its proof of build has them.

    Raises: BuildError when it cannot be loaded, is not what was proved, lacks its function, or its
        parameters are not the definition's.
    """
    outputs = tuple(definition.outputs)
    if solution.language == "python":
        function = _load_python(solution, folder)
        how = read_convention(function, definition, solution.entry)
        return Entry(solution.name, function, how, outputs, build_python(solution, folder))
    if library is None or binary is None:
        raise BuildError(f"{solution.name!r} is compiled; it came without its proof of build")
    names = (*definition.inputs, *definition.scalars, *outputs)
    how = Convention(positional=names, keyword=(), writes=True)
    return Entry(
        solution.name, load_sealed(library, binary, solution.function), how, outputs, build=None
    )


def _load_python(solution: Solution, folder: Path) -> Callable[..., Any]:
    try:
        module = import_file(folder, solution.path)
    except (Exception, SystemExit) as error:
        reason = f"{solution.path} cannot be imported: {type(error).__name__}: {error}"
        raise BuildError(reason, "".join(traceback.format_exception(error))) from error
    _check_siblings(solution, folder.resolve())
    function = getattr(module, solution.function, None)
    if not callable(function):
        own = sorted(
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        )
        raise BuildError(
            f"{solution.path} has no function {solution.function!r}; it defines "
            f"{', '.join(own) or 'none'}"
        )
    return function


def _check_siblings(solution: Solution, folder: Path) -> None:
    """An installed package of the same name would be measured in place of the study's file."""
    for source in solution.sources:
        module = sys.modules.get(Path(source).stem) if source.endswith(".py") else None
        origin = getattr(module, "__file__", None)
        if origin is not None and not Path(origin).resolve().is_relative_to(folder):
            raise BuildError(
                f"`import {Path(source).stem}` found {origin}, not the solution's {source}; "
                "give the file another name"
            )


def _describe(result: Any) -> str:
    if isinstance(result, tuple | list):
        return f"{len(result)} values"
    return type(result).__name__
