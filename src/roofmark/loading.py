"""A study with everything it names, read once: what is measured is what was read here.

In: a `study.py`, its folder, or a `Study`. Out: the study with the digest of every source, and the
sources' bytes. Only `study.py` itself is executed; solutions run later, in processes of their own.
"""

import os
import stat
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec

from roofmark.errors import Problem, StudyError
from roofmark.records import digest
from roofmark.study import Study

# Chosen: far above any source that people write; a larger file is data, and belongs elsewhere.
MAX_SOURCE_BYTES = 4 * 2**20


@dataclass(frozen=True)
class LoadedStudy:
    """A study, its sources by path, and the folder they came from."""

    study: Study
    contents: dict[str, bytes]
    folder: Path


def load_study(source: Study | str | Path) -> LoadedStudy:
    """Return the study with its sources. Raises: StudyError with every problem at once."""
    if isinstance(source, Study):
        return _collect(source, Path.cwd())
    path = Path(source)
    file = path / "study.py" if path.is_dir() else path
    return _collect(_execute(file), file.parent)


def _collect(study: Study, folder: Path) -> LoadedStudy:
    from roofmark.validation import check_study

    study = check_study(study)
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, where in sorted(_named_files(study).items()):
        found = _read_source(folder, name)
        if isinstance(found, bytes):
            contents[name] = found
        else:
            problems.append(_source_problem(found, name, where))
    if problems:
        raise StudyError(*problems)
    files = {name: digest(data) for name, data in contents.items()}
    return LoadedStudy(msgspec.structs.replace(study, files=files), contents, folder)


def _execute(file: Path) -> Study:
    """Run the author's study.py and take its `study`."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise _cannot_load(f"cannot read it: {error.strerror}", str(file), "") from error
    module = ModuleType("roofmark_study")
    module.__file__ = str(file)
    try:
        exec(compile(text, str(file), "exec"), module.__dict__)
    except Exception as error:
        place = _line_in(file, error)
        raise _cannot_load(f"{type(error).__name__}: {error}", place, "Mend that line.") from error
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        fact = "it defines no `study`" if study is None else f"its `study` is a {type(study)}"
        raise _cannot_load(fact, str(file), "End it with: study = rm.Study(...)")
    return study


def _line_in(file: Path, error: Exception) -> str:
    """Return the last line of `file` on the way to the error."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{file}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    return f"{file}:{lines[-1]}" if lines else str(file)


def _named_files(study: Study) -> dict[str, str]:
    """Every file that the study names -> who names it first."""
    named: dict[str, str] = {study.definition.reference.partition("::")[0]: "the reference"}
    for solution in (*study.solutions, *study.wrong):
        for path in (solution.path, *solution.sources):
            named.setdefault(path, f"solution {solution.name!r}")
    return named


def _read_source(folder: Path, name: str) -> bytes | str:
    """Return a source's bytes, or why it cannot be taken."""
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return "leads out of the study's folder"
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return "is a link that leads out of the study's folder"
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return "is not a regular file"
            if status.st_size > MAX_SOURCE_BYTES:
                return f"has {status.st_size} bytes, more than {MAX_SOURCE_BYTES}"
            return file.read()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _source_problem(fact: str, name: str, where: str) -> Problem:
    return Problem(
        code="RM102",
        fact=f"source {name!r} {fact}",
        where=where,
        meaning="A study is measured from its own folder's files, so that a bundle can keep them.",
        mend="Name a regular file inside the folder of study.py.",
    )


def _cannot_load(fact: str, where: str, mend: str) -> StudyError:
    return StudyError(
        Problem(
            code="RM101",
            fact=f"the study cannot be loaded: {fact}",
            where=where,
            meaning="study.py is Python; roofmark runs it once to read the study.",
            mend=mend,
        )
    )
