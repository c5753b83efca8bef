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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.build import BuildError, build_python
from roofmark.bench.importing import import_file
from roofmark.bench.sealed import load_sealed
from roofmark.bench.signature import Convention, chosen, read_convention, read_parameters
from roofmark.evidence import Build
from roofmark.study import Definition, Solution

Tensors = Mapping[str, torch.Tensor]

# Chosen: those that torch has copied together since it began to; of the narrow ones not every
# version does.
_TOGETHER = {
    torch.float64, torch.float32, torch.float16, torch.bfloat16,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
}  # fmt: skip


class WrongOutput(Exception):
    """A solution returned something else than the definition declares."""

    failure_kind = "output"


@dataclass(frozen=True)
class Bound:
    """A call on one slot. call: all that is timed. reads: the tensors that it takes as inputs."""

    call: Callable[[], Any]
    reads: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Entry:
    """A loaded solution. build: proof of a Python solution; a library has brought its own.

    prepare: what makes of the weights the tensors that the function takes in their place.
    """

    solution: Solution
    function: Callable[..., Any]
    definition: Definition
    build: Build | None
    prepare: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        """The solution's name."""
        return self.solution.name

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs in order."""
        return tuple(self.definition.outputs)

    def bind(self, inputs: Tensors, outputs: Tensors) -> Bound:
        """Return a call over these tensors; preparing weights is part of binding, not of the call.

        Raises: BuildError when `prepare` or the entry does not take or give what it should.
        """
        taken = self._prepared(inputs)
        how = self.convention(taken)
        given = {**taken, **self.definition.scalars, **self.solution.params, **outputs}
        call = functools.partial(
            self.function,
            *(given[name] for name in how.positional),
            **{name: given[name] for name in how.keyword},
        )
        return Bound(call, tuple(taken.values()))

    def convention(self, taken: Iterable[str]) -> Convention:
        """Return how the function is called with tensors of these names. Raises: BuildError."""
        names = (*taken, *self.definition.scalars)
        if self.solution.language != "python":
            return Convention(positional=(*names, *self.outputs), keyword=(), writes=True)
        return read_convention(
            self.function,
            self.solution.entry,
            taken=(*names, *self.solution.params),
            outputs=self.outputs,
        )

    def _prepared(self, inputs: Tensors) -> dict[str, torch.Tensor]:
        """Return the inputs, with what `prepare` made in place of the weights."""
        if self.prepare is None:
            return dict(inputs)
        weights = self.definition.weights
        rest = {name: tensor for name, tensor in inputs.items() if name not in weights}
        params = chosen(self.prepare, str(self.solution.prepare), self.solution.params)
        # Copies: the arena is everybody's, and others may be preparing from these very weights.
        made = self.prepare(**{name: inputs[name].clone() for name in weights}, **params)
        reserved = {*rest, *self.outputs, *self.definition.scalars, *self.solution.params}
        if not isinstance(made, dict) or not all(
            isinstance(name, str) and type(value) is torch.Tensor and name not in reserved
            for name, value in made.items()
        ):
            raise BuildError(
                f"{self.solution.prepare} returned {_describe(made)}; it returns a dict of plain "
                f"tensors by name; no name may be {', '.join(sorted(reserved))}"
            )
        return rest | made

    def store(self, returned: Iterable[tuple[Any, Tensors]]) -> None:
        """Check what calls returned and copy it where the referee looks. Raises: WrongOutput.

        The first one at once: a call that has left work to a thread has had no time for it. The
        others together, as a batch holds them all and a launch for each would be most of it.
        """
        copies: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for number, (result, outputs) in enumerate(returned):
            for name, value in self._told(result, outputs).items():
                copies.setdefault(name, []).append((outputs[name], value))
            if number == 0:
                _copy(copies)
                copies.clear()
        _copy(copies)

    def _told(self, result: Any, outputs: Tensors) -> Tensors:
        """Return the tensors that a call returned, checked; none of one that writes its outputs."""
        if not self.writes:
            named = self._named(result).items()
            return {name: self._checked(name, value, outputs[name]) for name, value in named}
        if result is not None and not self._same(result, outputs):
            raise WrongOutput(
                f"error[RM107]: solution {self.name!r} takes its outputs as arguments and yet "
                f"returned another {type(result).__name__}; write into them and return nothing"
            )
        return {}

    @functools.cached_property
    def writes(self) -> bool:
        """Whether the function takes its outputs as arguments, and so returns none."""
        if self.solution.language != "python":
            return True
        given = read_parameters(self.function, self.solution.entry)
        return any(name in self.outputs for name in given)

    def _same(self, result: Any, outputs: Tensors) -> bool:
        """Whether it returned the outputs it was given, as torch's `out=` functions do."""
        found: list[Any] = list(result) if isinstance(result, tuple | list) else [result]
        written = [outputs[name] for name in self.outputs]
        return len(found) == len(written) and all(
            _is_view_of(a, b) for a, b in zip(found, written, strict=True)
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


def _copy(copies: Mapping[str, list[tuple[torch.Tensor, torch.Tensor]]]) -> None:
    """Copy values to their places, those of one output in one go where torch can."""
    # A result that carries a gradient must not draw the shared arena into its graph.
    with torch.no_grad():
        for pairs in copies.values():
            places, values = ([each[k] for each in pairs] for k in (0, 1))
            if places[0].dtype in _TOGETHER:
                torch._foreach_copy_(places, values)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
                continue
            for place, value in zip(places, values, strict=True):
                place.copy_(value)


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
    prepare = None
    if isinstance(solution.prepare, str):
        prepare = load_function(folder, solution.prepare)
    if solution.language == "python":
        function = load_function(folder, solution.entry)
        _check_siblings(solution, folder.resolve())
        build = build_python(solution, folder)
        entry = Entry(solution, function, definition, build, prepare)
        if prepare is None:
            # Told now and not at the first call; what `prepare` gives nobody knows before.
            entry.convention(definition.inputs)
        return entry
    if library is None or binary is None:
        raise BuildError(f"{solution.name!r} is compiled; it came without its proof of build")
    function = load_sealed(library, binary, solution.function)
    return Entry(solution, function, definition, None, prepare)


def load_function(folder: Path, entry: str) -> Callable[..., Any]:
    """Return the function that "file.py::function" names. Raises: BuildError."""
    path, _, name = entry.partition("::")
    try:
        module = import_file(folder, path)
    except (Exception, SystemExit) as error:
        reason = f"{path} cannot be imported: {type(error).__name__}: {error}"
        raise BuildError(reason, "".join(traceback.format_exception(error))) from error
    function = getattr(module, name, None)
    if not callable(function):
        own = sorted(
            each
            for each, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        )
        raise BuildError(f"{path} has no function {name!r}; it defines {', '.join(own) or 'none'}")
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


def _is_view_of(value: Any, output: torch.Tensor) -> bool:
    """Whether a value is this output: the same elements in the same place, by whatever view."""
    return type(value) is torch.Tensor and all(
        look(value) == look(output) for look in (torch.Tensor.data_ptr, torch.Tensor.stride, _kind)
    )


def _kind(tensor: torch.Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape, tensor.device


def _describe(result: Any) -> str:
    if isinstance(result, tuple | list):
        return f"{len(result)} values"
    if isinstance(result, dict):
        return f"a dict of {', '.join(map(str, result)) or 'nothing'}"  # pyright: ignore
    return type(result).__name__
