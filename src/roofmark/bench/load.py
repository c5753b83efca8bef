"""A solution becomes a call: checked against the definition once, then bound to memory.

In: a solution's own files, or the proved bytes of its library. Out: an `Entry`. Everything that can
be worked out before a timed call is: a bound thunk does no lookups. What it returns is checked and
stored after the clock has stopped.
"""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.build import BuildError, source_digest
from roofmark.bench.importing import import_file
from roofmark.evidence import Build
from roofmark.records import Missing, digest
from roofmark.study import Definition, Solution

Tensors = Mapping[str, torch.Tensor]


class WrongOutput(Exception):
    """A solution returned something else than the definition declares."""


@dataclass(frozen=True)
class Entry:
    """A loaded solution; `returns` tells whether it returns its outputs or writes them."""

    name: str
    function: Callable[..., Any]
    by_name: tuple[str, ...]
    outputs: tuple[str, ...]
    returns: bool
    build: Build | None

    def bind(
        self, inputs: Tensors, scalars: Mapping[str, float], outputs: Tensors
    ) -> Callable[[], Any]:
        """Return a thunk over these tensors."""
        given = {**inputs, **scalars, **({} if self.returns else outputs)}
        if self.by_name:
            return functools.partial(self.function, *(given[name] for name in self.by_name))
        return functools.partial(self.function, *given.values())

    def store(self, result: Any, outputs: Tensors) -> None:
        """Check what a call returned and copy it where the referee looks. Raises: WrongOutput."""
        if not self.returns:
            if result is not None:
                raise WrongOutput(
                    f"error[RM107]: solution {self.name!r} takes its outputs as arguments and yet "
                    f"returned {type(result).__name__}; write into them and return nothing"
                )
            return
        for name, value in self._named(result).items():
            outputs[name].copy_(self._checked(name, value, outputs[name]))

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
    """Return the solution's entry. Raises: BuildError."""
    if library is None:
        return _load_python(solution, definition, folder)
    function = _load_library(solution, library, binary or "")
    outputs = tuple(definition.outputs)
    return Entry(solution.name, function, (), outputs, returns=False, build=None)


def _load_python(solution: Solution, definition: Definition, folder: Path) -> Entry:
    try:
        module = import_file(folder, solution.path)
    except Exception as error:
        reason = f"{solution.path} cannot be imported: {type(error).__name__}: {error}"
        raise BuildError(reason) from error
    function = getattr(module, solution.function, None)
    if not callable(function):
        raise BuildError(f"{solution.path} has no function {solution.function!r}")
    names, returns = _read_signature(solution, definition, function)
    build = Build(
        solution=solution.name,
        language="python",
        compiler=Missing(reason="interpreted"),
        command=(),
        seconds=Missing(reason="interpreted"),
        source=source_digest(solution, folder),
        binary=Missing(reason="interpreted"),
        targets=(),
        kernels=(),
    )
    return Entry(solution.name, function, names, tuple(definition.outputs), returns, build)


def _read_signature(
    solution: Solution, definition: Definition, function: Callable[..., Any]
) -> tuple[tuple[str, ...], bool]:
    """Return the parameters in order, and whether the function returns its outputs."""
    given = {*definition.inputs, *definition.scalars}
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise BuildError(f"{solution.entry} has no readable signature: {error}") from error
    names = tuple(parameters)
    if set(names) == given:
        return names, True
    if set(names) == given | set(definition.outputs):
        return names, False
    missing = sorted(given - set(names))
    unknown = sorted(set(names) - given - set(definition.outputs))
    raise BuildError(
        f"{solution.entry} does not take what the definition gives: "
        f"missing {', '.join(missing) or 'nothing'}; unknown {', '.join(unknown) or 'nothing'}. "
        f"Name the inputs and scalars ({', '.join(sorted(given))}), and either all outputs or none"
    )


def _load_library(solution: Solution, library: Path, binary: str) -> Callable[..., Any]:
    """Load exactly the bytes that were proved: they are hashed and loaded from memory."""
    import tvm_ffi

    data = library.read_bytes()
    if digest(data) != binary:
        raise BuildError(f"the library of {solution.name!r} is not the one that was proved")
    handle = os.memfd_create(solution.name)
    with os.fdopen(handle, "wb", closefd=False) as file:
        file.write(data)
    # A name ending in .so is what the loader wants; a link gives one to the sealed memory.
    link = library.with_name(f"{library.stem}.{os.getpid()}.so")
    link.unlink(missing_ok=True)
    link.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")
    try:
        module: Any = tvm_ffi.load_module(str(link))
        function: Callable[..., Any] = module.get_function(solution.function)
    except (AttributeError, RuntimeError, OSError, ValueError) as error:
        raise BuildError(
            f"{solution.path} exports no {solution.function!r}: {error}. "
            f"Export it with TVM_FFI_DLL_EXPORT_TYPED_FUNC({solution.function}, Function)"
        ) from error
    finally:
        link.unlink(missing_ok=True)
    return function


def _describe(result: Any) -> str:
    if isinstance(result, tuple | list):
        return f"{len(result)} values"
    return type(result).__name__
