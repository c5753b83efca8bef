"""Are the functions that a study names in their files, and do they take what they are given?

In: a study, its sources by path. Out: problems. Files are parsed, never imported; what only running
could tell (a decorated function, a star import) is left to the bench.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from roofmark.codes import problem
from roofmark.errors import Problem
from roofmark.study import Study
from roofmark.validation.places import Places
from roofmark.validation.question import solution_place

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class _Takes(NamedTuple):
    """What a function has to take, which outputs it may write, and what it may take besides."""

    given: set[str]
    outputs: set[str] | None = None
    optional: set[str] = set()


def find_source_problems(
    study: Study, contents: Mapping[str, bytes], places: Places
) -> Iterator[Problem]:
    """Yield everything that is wrong with the entries of sources that could be read."""
    definition = study.definition
    given = {*definition.inputs, *definition.scalars}
    outputs = set(definition.outputs)
    where = places.of("definition.reference", "Definition.reference")
    if not re.fullmatch(r"[^:]+\.py::[A-Za-z_]\w*", definition.reference):
        fact = f"reference {definition.reference!r}"
        yield problem("RM117", fact, where, 'Write reference="reference.py::function".')
    else:
        yield from _entry(definition.reference, contents, _Takes(given), where)
    for kind, solutions in (("solutions", study.solutions), ("wrong", study.wrong)):
        for number, solution in enumerate(solutions):
            where = solution_place(solution, number, places, kind)
            params = set(solution.params)
            if isinstance(solution.prepare, str):
                # What it returns is known when it runs; then the entry is checked against it.
                yield from _entry(solution.entry, contents, None, where)
                takes = _Takes(set(definition.weights), optional=params)
                yield from _entry(solution.prepare, contents, takes, where)
            else:
                yield from _entry(solution.entry, contents, _Takes(given | params, outputs), where)
            if isinstance(solution.exact, str):
                takes = _Takes(given, optional=params)
                yield from _entry(solution.exact, contents, takes, where)


def find_entry_problems(
    entry: str, contents: Mapping[str, bytes], given: set[str], where: str
) -> Iterator[Problem]:
    """Yield what is wrong with one Python function that takes `given` by name."""
    yield from _entry(entry, contents, _Takes(given), where)


def _entry(
    entry: str,
    contents: Mapping[str, bytes],
    names: _Takes | None,
    where: str,
) -> Iterator[Problem]:
    path, _, function = entry.partition("::")
    if path not in contents or not function.isidentifier():
        return
    if not path.endswith(".py"):
        if not re.search(rf"\b{re.escape(function)}\b".encode(), contents[path]):
            fact = f"{path} does not mention {function!r}"
            mend = f"Export it: TVM_FFI_DLL_EXPORT_TYPED_FUNC({function}, Function)"
            yield problem("RM118", fact, where, mend)
        return
    try:
        with warnings.catch_warnings():
            # What Python thinks of an odd escape in a kernel's file is not ours to print.
            warnings.simplefilter("ignore")
            tree = ast.parse(contents[path])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        shown = f"{path}:{line}" if line else path
        fact = f"{path} is not Python: {getattr(error, 'msg', error)}"
        yield problem("RM118", fact, f"{where}; {shown}", "Mend that line.")
        return
    found, defined = _top_level(tree)
    if function not in found and "*" not in found and "__getattr__" not in found:
        known = ", ".join(sorted(defined)) or "none"
        fact = f"{path} has no {function!r}"
        yield problem("RM118", fact, where, f"Its functions: {known}.")
    elif names and function in defined and not defined[function].decorator_list:
        here = f"{where}; {path}:{defined[function].lineno}"
        yield from _signature(defined[function], names, here)


def _top_level(tree: ast.Module) -> tuple[set[str], dict[str, _Function]]:
    """Return every name that the module binds, and those that are plain functions."""
    names: set[str] = set()
    functions: dict[str, _Function] = {}
    for node in _statements(tree.body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
                # Of two definitions (under `if` and `else`) neither can be told to be the one.
                functions[name] = node
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case _:
                # Targets of =, :=, for, with ... as: whatever is stored has this name.
                names |= {
                    each.id
                    for each in ast.walk(node)
                    if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
                }
    return names, functions


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield top-level statements, also those under if, try and with."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from _statements(handler.body)


def _signature(function: _Function, names: _Takes, where: str) -> Iterator[Problem]:
    given, outputs, optional = names
    arguments = function.args
    takes = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    rest = [each.arg for each in (arguments.vararg, arguments.kwarg) if each]
    if outputs is None and arguments.kwarg:
        return  # The reference is called by name, so ** takes whatever it does not list.
    allowed = given | optional | (outputs or set())
    missing, unknown = sorted(given - takes), sorted({*takes, *rest} - allowed)
    part = sorted((outputs or set()) & takes)
    faults = [f"lacks {', '.join(missing)}"] if missing else []
    faults += [f"takes {', '.join(unknown)}, which nobody gives"] if unknown else []
    if part and outputs and len(part) < len(outputs):
        faults += [f"takes some of the outputs ({', '.join(part)}), not all"]
    if isinstance(function, ast.AsyncFunctionDef):
        faults += ["is async"]
    if arguments.kwonlyargs and outputs is not None:
        faults += ["has keyword-only parameters; the bench passes by position"]
    if faults:
        mend = f"Take: {', '.join(sorted(given))}" + (
            ", and all outputs or none." if outputs else ""
        )
        yield problem("RM119", f"{function.name} {'; '.join(faults)}", where, mend)
