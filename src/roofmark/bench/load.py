"""Load a built solution inside the worker and make it callable.

In: a solution, its definition, the private folder with its sources, and (C++, CUDA) the library
with the digest that was proved. Out: an `Entry`. Runs in the worker process alone: this is where
the candidate's code starts to execute.

A library is read once, compared with the proved digest, and loaded from a sealed memory file, so
the bytes that run are the bytes that were proved whatever happens to the file meanwhile. It is
called with torch tensors; tvm-ffi takes torch's current stream with every call that has a CUDA
tensor among its arguments, so streams and graph capture need nothing from us.

A Python entry is loaded by its path under a name of its own, because a solution may be called
`triton.py` and import triton. For sibling files its folder goes to the end of sys.path, where it
cannot shadow an installed package.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from roofmark.bench.refusals import BuildError, EntryError
from roofmark.bench.sealed import load_sealed
from roofmark.bench.signature import Convention, read_convention
from roofmark.records import digest
from roofmark.study import Definition, Solution

if TYPE_CHECKING:
    from torch import Tensor

Tensors = Mapping[str, "Tensor"]
Scalars = Mapping[str, float | int]


class Entry:
    """A solution that can be called."""

    def __init__(
        self, name: str, function: Callable[..., Any], definition: Definition, how: Convention
    ) -> None:
        """Use `load_entry`."""
        self.name = name
        self.writes = how.writes
        self._function = function
        self._definition = definition
        self._how = how

    def bind(self, inputs: Tensors, scalars: Scalars, outputs: Tensors) -> Callable[[], Any]:
        """Return the call with its arguments in place; calling it is all that is timed.

        What it returns goes through `results` afterwards, outside the clock.
        """
        values = {**inputs, **scalars, **outputs}
        return partial(
            self._function,
            *(values[name] for name in self._how.positional),
            **{name: values[name] for name in self._how.keyword},
        )

    def results(self, returned: Any, outputs: Tensors) -> "tuple[Tensor, ...]":
        """Return the outputs in the definition's order, whichever way they came.

        Raises: EntryError when the entry returned something else than it had to.
        """
        if self.writes:
            written = tuple(outputs[name] for name in self._definition.outputs)
            if returned is not None and not _same(returned, written):
                raise EntryError(
                    f"{self.name} takes the outputs, so it must write them and return nothing or "
                    f"them; it returned another {type(returned).__name__}"
                )
            return written
        return _in_order(returned, tuple(self._definition.outputs), self.name)

    def call(
        self, inputs: Tensors, scalars: Scalars, outputs: Tensors
    ) -> "tuple[Tensor, ...] | None":
        """Call once; return what was returned, in order, or None when the outputs were written."""
        found = self.results(self.bind(inputs, scalars, outputs)(), outputs)
        return None if self.writes else found


class LibraryEntry(Entry):
    """A function of a C++ or CUDA library: all arguments by position, tensors contiguous."""

    def bind(self, inputs: Tensors, scalars: Scalars, outputs: Tensors) -> Callable[[], Any]:
        """Return the call with its arguments in place.

        Raises: EntryError when a tensor is not contiguous: a kernel reads plain addresses.
        """
        for name, tensor in {**inputs, **outputs}.items():
            if not tensor.is_contiguous():
                raise EntryError(f"{self.name} takes contiguous tensors; {name} is not")
        return super().bind(inputs, scalars, outputs)


def load_entry(
    solution: Solution,
    definition: Definition,
    folder: Path,
    library: Path | None = None,
    expected_binary: str | None = None,
) -> Entry:
    """Return the callable entry of a built solution.

    library, expected_binary: of a C++ or CUDA solution, as `build_library` gave them.

    Raises: BuildError when it cannot be loaded, is not what was proved, lacks its function, or its
        parameters are not the definition's.
    """
    if solution.language == "python":
        function = _load_python(solution, folder)
        how = read_convention(function, definition, solution.entry)
        return Entry(solution.name, function, definition, how)
    if library is None or expected_binary is None:
        raise BuildError(f"{solution.name} is a library; it was loaded without its proof of build")
    function = load_sealed(library, expected_binary, solution.function)
    names = (*definition.inputs, *definition.scalars, *definition.outputs)
    how = Convention(positional=names, keyword=(), writes=True)
    return LibraryEntry(solution.name, function, definition, how)


def _same(returned: Any, written: "tuple[Tensor, ...]") -> bool:
    """Whether a destination-passing entry returned its outputs, as torch's `out=` functions do."""
    found = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    return len(found) == len(written) and all(a is b for a, b in zip(found, written, strict=True))


def _in_order(returned: Any, names: tuple[str, ...], entry: str) -> "tuple[Tensor, ...]":
    from torch import Tensor

    wanted = f"{len(names)} output{'s' if len(names) > 1 else ''} ({', '.join(names)})"
    if isinstance(returned, Mapping):
        if set(returned) != set(names):
            raise EntryError(f"{entry} returned {sorted(map(str, returned))}, not {wanted}")
        found = tuple(returned[name] for name in names)
    elif isinstance(returned, tuple | list):
        found = tuple(returned)
    else:
        found = (returned,)
    if len(found) != len(names):
        raise EntryError(f"{entry} returned {len(found)} values, not {wanted}")
    for name, value in zip(names, found, strict=True):
        if not isinstance(value, Tensor):
            raise EntryError(f"{entry} returned {type(value).__name__} as {name}, not a tensor")
    return found


def _load_python(solution: Solution, folder: Path) -> Callable[..., Any]:
    path = (folder / solution.path).resolve()
    for place in (str(folder.resolve()), str(path.parent)):
        if place not in sys.path:
            sys.path.append(place)
    module = _import(path, solution)
    _check_siblings(solution, folder.resolve())
    function = getattr(module, solution.function, None)
    if function is None:
        public = sorted(
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        )
        raise BuildError(
            f"{solution.path} has no {solution.function!r}; it defines "
            f"{', '.join(public) or 'no function'}"
        )
    if not callable(function):
        raise BuildError(f"{solution.entry} is a {type(function).__name__}, not a function")
    return function


def _import(path: Path, solution: Solution) -> ModuleType:
    """Import by path; the module stays findable, for `inspect.getsource` (Triton needs it)."""
    name = f"roofmark_solution_{digest(str(path).encode())[:16]}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None or not path.is_file():
        raise BuildError(f"{solution.path} is no Python file that can be imported")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BuildError(
            f"importing {solution.path} raised {type(error).__name__}: {error}", _trace(error)
        ) from error
    return module


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


def _trace(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))
