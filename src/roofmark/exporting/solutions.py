"""A solution as FlashInfer-Bench builds one: sources with their text, and an entry by position.

In: a study, one of its solutions, the sources. Out: the values of solutions/*.json, or why there
can be none. Python entries are called by name here and by position there, so a file is added that
does the one with the other; macros, which no command line there can carry, are written into the
files that are compiled.
"""

import ast
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from roofmark.exporting.definition import arguments_of, text_of
from roofmark.records import Missing
from roofmark.study import Definition, Solution, Study

ENTRY = "roofmark_entry.py"
"""The file that is added to a Python solution."""

_COMPILED = (".cu", ".cpp", ".cc")
_TRITON = re.compile(r"^\s*(?:import|from)\s+triton\b", re.MULTILINE)
_ADDED = '''\
"""Added by `roofmark export`: takes arguments by position, calls the study's entry by name."""

import importlib.util
import sys
from pathlib import Path

_folder = Path(__file__).parent
# The study's files import one another by their own names.
sys.path += [str(_folder / {parent!r}), str(_folder)]
_spec = importlib.util.spec_from_file_location(__name__ + "_source", _folder / {path!r})
_source = importlib.util.module_from_spec(_spec)
# Before it is executed: Triton and dataclasses look their own module up.
sys.modules[_spec.name] = _source
_spec.loader.exec_module(_source)


def run({names}):
    return _source.{function}({arguments})
'''


def solution_values(
    study: Study, solution: Solution, contents: Mapping[str, bytes], author: str
) -> dict[str, Any] | Missing:
    """Return the solution, or why it cannot be one there. Raises: BundleError RM420."""
    if isinstance(solution.prepare, str):
        return Missing(reason="it prepares its weights before it is timed; nothing there does")
    texts = {path: text_of(contents, path) for path in solution.files}
    if solution.language == "python":
        spec, files = _python(study.definition, solution, texts)
    else:
        spec, files = _compiled(solution, texts)
    wrong = solution in study.wrong
    return {
        "name": exported_name(study, solution.name),
        "definition": study.definition.name,
        "author": "baseline" if solution.name == study.baseline else author,
        "description": "Wrong on purpose: a checker has to refuse it." if wrong else "",
        "spec": {"target_hardware": list(solution.runs_on), **spec},
        # Blank where it is empty, because a source there may not be.
        "sources": [{"path": path, "content": text or "\n"} for path, text in files.items()],
    }


def exported_name(study: Study, name: str) -> str:
    """Return the name there: two data sets that are put together may not share one."""
    return f"{study.definition.name}_{name}"


def _compiled(solution: Solution, texts: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    macros = "".join(f"#define {name} {value}\n" for name, value in solution.params.items())
    files = {p: macros + text if p.endswith(_COMPILED) else text for p, text in texts.items()}
    spec = {
        "language": solution.language,
        "entry_point": solution.entry,
        "dependencies": [],
        "destination_passing_style": True,
        "binding": "tvm-ffi",
    }
    return spec, files


def _python(
    definition: Definition, solution: Solution, texts: dict[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    outputs = tuple(definition.outputs)
    writes = not _parameters(texts[solution.path], solution.function).isdisjoint(outputs)
    names = (*arguments_of(definition), *(outputs if writes else ()))
    given = [f"{name}={name}" for name in names]
    given += [f"{name}={value}" for name, value in solution.params.items()]
    added = _ADDED.format(
        function=solution.function,
        path=solution.path,
        parent=PurePosixPath(solution.path).parent.as_posix(),
        names=", ".join(names),
        arguments=", ".join(given),
    )
    triton = "triton" in solution.requires or any(map(_TRITON.search, texts.values()))
    spec = {
        "language": "triton" if triton else "python",
        "entry_point": f"{ENTRY}::run",
        "dependencies": list(solution.requires),
        "destination_passing_style": writes,
    }
    return spec, {ENTRY: added, **texts}


def _parameters(text: str, function: str) -> set[str]:
    """Return the names that a top-level function takes; none if it is defined in another way."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            arguments = node.args
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            return {each.arg for each in every}
    return set()
