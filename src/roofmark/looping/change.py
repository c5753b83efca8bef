"""Change: what a proposer changed, whether it may, and whether it changes the program at all.

In: files before and after. Out: a refusal with names, a diff, fingerprints, the digest of the
machine code. A fingerprint of Python is that of its syntax tree: another comment is no new program.
"""

import ast
import difflib
import hashlib
from collections.abc import Mapping

from roofmark.api import build_cache
from roofmark.bench.scratch import open_scratch
from roofmark.bench.workshop import Workshop
from roofmark.bundle import BundleWriter
from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.evidence import Build, Environment
from roofmark.loading import MAX_SOURCE_BYTES, LoadedStudy
from roofmark.records import Missing

Contents = Mapping[str, str | bytes]


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
    names = sorted(before.keys() | after.keys())
    others = [n for n in names if n not in files and before.get(n) != after.get(n)]
    if others:
        return f"changed what is not its own: {', '.join(others)}"
    for name in files:
        content = after.get(name)
        if not isinstance(content, bytes):
            return f"{name} is {content or 'missing'}"
        if len(content) > MAX_SOURCE_BYTES:
            return f"{name} has {len(content)} bytes, more than {MAX_SOURCE_BYTES}"
        try:
            content.decode()
        except UnicodeDecodeError as error:
            return f"{name} is no text: {error}"
    return ""


def diff_of(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return a unified diff over the files, nothing when they are equal."""
    lines: list[str] = []
    for name, text in after.items():
        old, new = before[name].splitlines(), text.splitlines()
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(lines)


def fingerprint(files: Mapping[str, str]) -> str:
    """Return a sha256 that tells programs apart, not their comments (where Python lets us see)."""
    total = hashlib.sha256()
    for name, text in sorted(files.items()):
        for part in (name, _essence(name, text)):
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
    loaded: LoadedStudy, name: str, files: Mapping[str, str], environment: Environment
) -> str | Missing:
    """Return the sha256 of the library that these files build. Raises: BuildError."""
    solution = loaded.study.solution(name)
    if solution.language in ("python", "program"):
        return Missing(reason="nothing is compiled")
    contents = loaded.contents | {path: text.encode() for path, text in files.items()}
    with open_scratch() as scratch, BundleWriter(scratch / "proofs") as writer:
        shop = Workshop(loaded.study, contents, scratch=scratch, cache=build_cache())
        shop.prepare(solution, environment, writer)
        return writer.read(f"builds/{shop.proofs[name]}.json", Build).binary
