"""Entries: what makes a function that takes arguments by position one that is called by name.

In: their reference and solutions, as text. Out: files of a study and its `Solution`s. Their sources
are kept as they are, each solution's in a folder of its own; nothing is executed.
"""

import ast
import keyword
import re
from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType

from roofmark.adopting.question import REFERENCE, no_counterpart, plain_name, unique
from roofmark.foreign import ForeignDefinition, ForeignSolution
from roofmark.records import Missing
from roofmark.study import LANGUAGES, Device, Solution

# Chosen: a name that no installed package has, so that an import finds the study's folder.
FOLDER = "flashinfer_solutions"
BASELINE = "reference"
_RESERVED = ("run", "theirs_")
_PACKAGE = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
# Source: what a study of ours always has.
_GIVEN = ("torch", "python", "cuda")


def reference_text(definition: ForeignDefinition) -> str:
    """Return their reference with a function that is called by name.

    Raises: ImportFailed RM420 without a reference, or without a `run` in it.
    """
    text, names = definition.reference, ", ".join(definition.inputs)
    if isinstance(text, Missing) or not _defines_run(text):
        fact = "its reference defines no function `run`"
        raise no_counterpart(fact, definition.name, "Give the definition a reference.")
    taken = [name for name in (*definition.inputs, *definition.outputs) if name in _RESERVED]
    if taken:
        raise no_counterpart(f"a tensor is named {taken[0]!r}", definition.name, "Rename it.")
    return (
        f"{text.rstrip()}\n\n\n"
        "# Added by `roofmark new`: roofmark calls by name, FlashInfer-Bench by position.\n"
        f"def {REFERENCE}({names}):\n    return run({names})\n"
    )


def adopt_solutions(
    definition: ForeignDefinition, found: Sequence[ForeignSolution], notes: list[str]
) -> tuple[tuple[Solution, ...], dict[str, str]]:
    """Return the reference as a solution and theirs, and all files of theirs.

    Raises: ImportFailed RM420 for a solution that no entry of ours can call.
    """
    names = unique([BASELINE, *(plain_name(each.name) for each in found)])
    solutions = [Solution(names[0], f"reference.py::{REFERENCE}")]
    files: dict[str, str] = {}
    for name, own, each in zip(names[1:], _identifiers(names[1:]), found, strict=True):
        folder = f"{FOLDER}/{own}"
        files |= {f"{folder}/{path}": text for path, text in each.sources.items()}
        if each.entry.partition("::")[0].endswith(".py"):
            entry = f"entries/{own}.py"
            files[entry] = _entry_text(definition, each, folder)
            solutions.append(_python(name, each, folder, entry))
        else:
            _check_compiled(definition, each)
            solutions.append(_compiled(name, each, folder))
        notes += _told(name, each)
    return tuple(solutions), files


def _python(name: str, found: ForeignSolution, folder: str, entry: str) -> Solution:
    wanted = (_PACKAGE.match(each) for each in found.dependencies)
    packages = [each[0].replace("-", "_") for each in wanted if each]
    packages += ["triton"] if found.language == "triton" else []
    return Solution(
        name,
        f"{entry}::run",
        sources=tuple(f"{folder}/{path}" for path in found.sources),
        devices=_devices(found.hardware),
        requires=tuple(dict.fromkeys(each for each in packages if each not in _GIVEN)),
    )


def _compiled(name: str, found: ForeignSolution, folder: str) -> Solution:
    path, _, function = found.entry.partition("::")
    is_cuda = path.endswith(".cu")
    return Solution(
        name,
        f"{folder}/{path}::{function}",
        sources=tuple(f"{folder}/{each}" for each in found.sources if each != path),
        # Theirs is built with its own folder on the include path.
        flags=(f"-I{folder}",),
        devices=UNSET if is_cuda else _devices(found.hardware),
    )


def _entry_text(definition: ForeignDefinition, found: ForeignSolution, folder: str) -> str:
    path, _, function = found.entry.partition("::")
    module = f"{folder}/{path.removesuffix('.py')}".replace("/", ".")
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in module.split(".")):
        fact, mend = f"its entry {path!r} cannot be imported", "Rename the file."
        raise no_counterpart(fact, f"solution {found.name}", mend)
    outputs = definition.outputs if found.writes else ()
    names = ", ".join([*definition.inputs, *outputs])
    call = f"theirs_.{function}({names})"
    return (
        f'"""Calls {function} of {module} by position, as FlashInfer-Bench does."""\n\n'
        f"import {module} as theirs_\n\n\n"
        f"def run({names}):\n    {call if found.writes else f'return {call}'}\n"
    )


def _check_compiled(definition: ForeignDefinition, found: ForeignSolution) -> None:
    """Refuse what cannot be built or called as our compiled entries are."""
    inputs = definition.inputs.values()
    scalars = [isinstance(one.shape, Missing) for one in inputs]
    path = found.entry.partition("::")[0]
    suffix = "." + path.rpartition(".")[2]
    faults = {
        f"its entry {path!r} is no .py, .cu, .cpp or .cc file": suffix not in LANGUAGES,
        "its binding is torch's": found.binding == "torch",
        "it returns its outputs": not found.writes,
        "scalars stand before tensors": scalars != sorted(scalars),
        "its entry is C++ beside CUDA files": not path.endswith(".cu")
        and any(each.endswith(".cu") for each in found.sources),
    }
    for fact, is_fault in faults.items():
        if is_fault:
            mend = (
                "Bind it with tvm-ffi in the file that holds the kernel; it takes inputs, then "
                "scalars, then outputs."
            )
            raise no_counterpart(fact, f"solution {found.name}", mend)


def _devices(hardware: Iterable[str]) -> tuple[Device, ...] | UnsetType:
    """Return where it runs; only "cpu" is a word for a host there, all others are GPUs."""
    kinds = {"cpu" in word.lower() for word in hardware}
    found: list[Device] = ["cpu"] if True in kinds else []
    if False in kinds:
        found.append("cuda")
    return tuple(found) or UNSET


def _told(name: str, found: ForeignSolution) -> Iterable[str]:
    author = "an unnamed author" if isinstance(found.author, Missing) else found.author
    text = "" if isinstance(found.description, Missing) else f": {found.description}"
    yield f"Solution {name} is {found.name} by {author}{text}"
    if found.dependencies:
        yield f"Solution {name} depends on {', '.join(found.dependencies)}: check `requires`."


def _identifiers(names: Iterable[str]) -> list[str]:
    """Return each name as one that can be imported, none twice."""
    found: list[str] = []
    for name in names:
        own = re.sub(r"^(?=\d)", "_", re.sub(r"\W", "_", name, flags=re.ASCII))
        while own.lower() in map(str.lower, found):
            own += "_"
        found.append(own)
    return found


def _defines_run(text: str) -> bool:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in body)
