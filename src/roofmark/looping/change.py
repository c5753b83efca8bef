"""Change: what a proposer changed, whether it may, and whether it changes the program at all.

In: files before and after, or two versions. Out: a refusal with names, a diff, fingerprints, the
digest of the machine code. A fingerprint of Python is that of its syntax tree: another comment is
no new program.
"""

import ast
import difflib
import hashlib
import itertools
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from roofmark.api import build_cache
from roofmark.bench.proof import program_digest
from roofmark.bench.scratch import open_scratch
from roofmark.bench.workshop import Workshop
from roofmark.bundle import BundleWriter
from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.evidence import Environment
from roofmark.loading import LoadedStudy
from roofmark.looping.tries import Version
from roofmark.records import Missing
from roofmark.study import Solution, Study

Contents = Mapping[str, str | bytes]
# Chosen: enough to see what a proposer did; it may have left thousands of files.
_NAMED = 8


def changeable_files(loaded: LoadedStudy, solution: str) -> tuple[str, ...]:
    """Return the files of a solution that a proposer may change: its own, but no reference's.

    Raises: StudyError RM135 when there is none, or one is no text.
    """
    study = loaded.study
    references = {entry.partition("::")[0] for entry in study.references}
    files = tuple(f for f in study.solution(solution).files if f not in references)
    mend = "Give the solution a UTF-8 source file of its own."
    if not files:
        fact = f"every file of solution {solution!r} holds a reference"
        raise StudyError(problem("RM135", fact, str(loaded.folder), mend))
    for name in files:
        try:
            loaded.contents[name].decode()
        except UnicodeDecodeError as error:
            raise StudyError(problem("RM135", f"{name} is no text: {error}", name, mend)) from error
    return files


def find_refusal(before: Contents, after: Contents, files: tuple[str, ...]) -> str:
    """Return why a changed folder is refused, with the names, or nothing."""
    if "" in after:
        return f"it left {after['']!s}"
    names = sorted(before.keys() | after.keys())
    others = [n for n in names if n not in files and before.get(n) != after.get(n)]
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        return f"changed what is not its own: {', '.join(others[:_NAMED])}{more}"
    for name in files:
        content = after.get(name)
        if not isinstance(content, bytes):
            return f"{name} is {content or 'missing'}"
        try:
            content.decode()
        except UnicodeDecodeError as error:
            return f"{name} is no text: {error}"
    return ""


def diff_of(before: Version, after: Version) -> str:
    """Return a unified diff over files and params, nothing when the versions are equal."""
    old = before.files | {"params": _listed(before.params)}
    new = after.files | {"params": _listed(after.params)}
    lines: list[str] = []
    for name, text in new.items():
        both = old[name].splitlines(), text.splitlines()
        lines += difflib.unified_diff(*both, f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(lines)


def _listed(params: Mapping[str, int]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in params.items())


def fingerprint(version: Version) -> str:
    """Return a sha256 that tells programs apart, not their comments (where Python lets us see)."""
    total = hashlib.sha256()
    parts = [(name, _essence(name, text)) for name, text in sorted(version.files.items())]
    parts += [(name, str(value)) for name, value in sorted(version.params.items())]
    for part in (part for pair in parts for part in pair):
        total.update(len(part.encode()).to_bytes(8, "little"))
        total.update(part.encode())
    return total.hexdigest()


def _essence(name: str, text: str) -> str:
    # What does not parse is told by the study's own checks later.
    try:
        return ast.dump(ast.parse(text)) if name.endswith(".py") else text
    except (SyntaxError, ValueError, RecursionError):
        return text


def build_binary(
    loaded: LoadedStudy, name: str, version: Version, environment: Environment
) -> str | Missing:
    """Return what the library that this version builds does. Raises: BuildError."""
    solution = replace(loaded.study.solution(name), params=version.params)
    contents = loaded.contents | {path: text.encode() for path, text in version.files.items()}
    return binary_of(loaded.study, contents, solution, environment)


def binary_of(
    study: Study, contents: Mapping[str, bytes], solution: Solution, environment: Environment
) -> str | Missing:
    """Return a digest of the machine code that a solution is built to. Raises: BuildError."""
    if solution.language in ("python", "program"):
        return Missing(reason="nothing is compiled")
    with open_scratch() as scratch, BundleWriter(scratch / "proofs") as writer:
        shop = Workshop(study, contents, scratch=scratch, cache=build_cache())
        shop.prepare(solution, environment, writer)
        return program_digest(Path(shop.posts[solution.name].library).read_bytes())


def changed_files(diff: str) -> list[str]:
    """Return the names in a diff of `diff_of`, "params" for params."""
    lines = diff.splitlines()
    pairs = itertools.pairwise(lines)
    return [new[6:] for old, new in pairs if old.startswith("--- a/") and new.startswith("+++ b/")]
