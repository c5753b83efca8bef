"""A study with everything it names, read once: what is measured is what was read here.

In: a `study.py`, its folder, a bundle, a `study.json`, or a `Study`. Out: the study with the digest
of every source, and the sources' bytes. Only `study.py` itself is executed (of a bundle nothing
is); solutions run later, in processes of their own.
"""

import os
import stat
import sys
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import msgspec
from msgspec import UnsetType

from roofmark.bundle import MANIFEST, Bundle, open_bundle
from roofmark.bundle_sense import NARROWED
from roofmark.codes import problem
from roofmark.errors import Problem, StudyError
from roofmark.records import MAX_RECORD_BYTES, decode, digest
from roofmark.study import Study
from roofmark.validation import Places, check_study, find_places, find_problems

# Chosen: far above any source that people write; a larger file is data, and belongs elsewhere.
MAX_SOURCE_BYTES = 4 * 2**20
# Chosen: the author's own line and the call that failed; more is the library's business.
_TRACEBACK_LINES = 6

# Chosen: a name that no file has, so that a study shadows nothing.
_MODULE = "roofmark_study"

Read = Callable[[str], bytes | str]


@dataclass(frozen=True)
class LoadedStudy:
    """A study, its sources by path, and the folder they came from."""

    study: Study
    contents: dict[str, bytes]
    folder: Path


def load_study(source: Study | str | Path) -> LoadedStudy:
    """Return the study with its sources. Raises: StudyError with every problem at once."""
    if isinstance(source, Study):
        return _collect(source, Path.cwd(), Places())
    path = Path(source)
    if path.is_dir() and _is_kept(path):
        path = path / "study.json"
    if path.name == "study.json":
        return _load_stored(path)
    file = path / "study.py" if path.is_dir() else path
    text = _read_text(file)
    return _collect(_execute(file, text), file.parent, find_places(text, file.name))


def load_bundled_study(bundle: Bundle) -> LoadedStudy:
    """Return a bundle's own study, unchanged and fit to be run again; nothing of it is executed.

    Raises: StudyError as `check_kept_study`, BundleError RM404 when a source is missing.
    """
    study = bundle.study
    contents = {name: bundle.source(sha256) for name, sha256 in study.files.items()}
    check_kept_study(study, contents)
    return LoadedStudy(study, contents, bundle.path)


def check_kept_study(study: Study, contents: Mapping[str, bytes]) -> None:
    """Check a study that a run has written, and its sources, before it runs again.

    Raises: StudyError when it names what no study may, such as a path that leads out of its folder.
    """

    def read(name: str) -> bytes | str:
        if name not in contents or name not in study.files:
            return "is not in the bundle"
        return _unchanged(contents[name], study.files[name])

    try:
        _gather(study, Path(), Places(), read)
    except StudyError as error:
        told = [each for each in error.problems if each.code not in NARROWED]
        if told:
            raise StudyError(*told) from error


def _is_kept(folder: Path) -> bool:
    """Return whether a run wrote this folder: then a study.py in it is a stranger's."""
    if any((folder / name).exists() for name in (MANIFEST, "run.json")):
        return True
    return (folder / "study.json").exists() and not (folder / "study.py").exists()


def _unchanged(data: bytes, sha256: str) -> bytes | str:
    return data if digest(data) == sha256 else "was changed since it was measured"


def _collect(study: Study, folder: Path, places: Places) -> LoadedStudy:
    return _gather(study, folder, places, lambda name: read_source(folder, name))


def _gather(study: Study, folder: Path, places: Places, read: Read) -> LoadedStudy:
    """Read every file that the study names, and check both together."""
    contents: dict[str, bytes] = {}
    unread: list[Problem] = []
    for name, (where, key) in sorted(_named_files(study).items()):
        found = read(name)
        if isinstance(found, bytes):
            contents[name] = found
        else:
            mend = "Name a regular file inside the folder of study.py."
            place = places.of(where, key)
            unread.append(problem("RM102", f"source {name!r} {found}", place, mend))
    problems = [*find_problems(study, places, contents), *unread]
    if problems:
        raise StudyError(*_once(problems))
    files = {name: digest(data) for name, data in contents.items()}
    checked = check_study(study, places, contents)
    return LoadedStudy(msgspec.structs.replace(checked, files=files), contents, folder)


def _once(problems: list[Problem]) -> list[Problem]:
    """Tell a source that leads out of the folder once, although two checks find it."""
    first: dict[tuple[str, str], Problem] = {}
    for each in problems:
        first.setdefault((each.code, each.fact), each)
    return list(first.values())


def _load_stored(path: Path) -> LoadedStudy:
    """Load a study.json with the sources beside it, by digest (a bundle) or by path."""
    folder = path.parent
    if (folder / MANIFEST).exists():
        return load_bundled_study(open_bundle(folder))
    data = read_source(folder, path.name, MAX_RECORD_BYTES)
    if isinstance(data, str):
        raise cannot_load(data, str(path), "Name a study.py, a study.json or a bundle.")
    study = decode(data, Study, where=path)

    def read(name: str) -> bytes | str:
        if not (folder / "sources").is_dir():
            return read_source(folder, name)
        found = read_source(folder / "sources", study.files.get(name, ""))
        return _unchanged(found, study.files[name]) if isinstance(found, bytes) else found

    return _gather(study, folder, Places(), read)


def _read_text(file: Path) -> bytes:
    text = read_source(file.parent, file.name)
    if isinstance(text, str):
        raise cannot_load(f"{file.name} {text}", str(file), "Name a study.py or its folder.")
    return text


def _execute(file: Path, text: bytes) -> Study:
    """Run the author's study.py and take its `study`."""
    module = ModuleType(_MODULE)
    module.__file__ = str(file)
    try:
        with _running(module, file.parent.resolve()):
            exec(compile(text, str(file), "exec", dont_inherit=True), module.__dict__)
    # A study.py that calls sys.exit() is broken too, and must not end us without a word.
    except (Exception, SystemExit) as error:
        fact = f"{type(error).__name__}: {error}"
        raise cannot_load(fact, _line_in(file, error), "Mend that line.") from error
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        kind = type(study).__name__
        fact = "it defines no `study`" if study is None else f"its `study` is a {kind}"
        raise cannot_load(fact, str(file), "End it with: study = rm.Study(...)")
    return study


@contextmanager
def _running(module: ModuleType, folder: Path) -> Generator[None]:
    """Let a study.py import its neighbours and look itself up while it runs; forget them after.

    The folder comes last: a study's triton.py does not stand in for the package.
    """
    before = set(sys.modules)
    sys.modules[_MODULE] = module
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before | {_MODULE}:
            origin = getattr(sys.modules.get(name), "__file__", None)
            if origin and Path(origin).resolve().is_relative_to(folder):
                sys.modules.pop(name)


def _line_in(file: Path, error: BaseException) -> str:
    """Return the last line of `file` on the way to the error, and the end of the traceback."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    own = frames[next((i for i, f in enumerate(frames) if f.filename == str(file)), 0) :]
    told = "".join(traceback.format_list(own)).rstrip().splitlines()[-_TRACEBACK_LINES:]
    place = f"{file}:{lines[-1]}" if lines else str(file)
    return "\n".join([place, *told])


def _named_files(study: Study) -> dict[str, tuple[str, str]]:
    """Every file that the study names -> who names it first, and the key of that line."""
    named: dict[str, tuple[str, str]] = {}
    if not _is_study(study):
        return named
    if isinstance(study.serving, UnsetType):
        reference = study.definition.reference.partition("::")[0]
        named[reference] = ("definition.reference", "Definition.reference")
    for solution in (*study.solutions, *study.wrong):
        place = (f"solution {solution.name!r}", f"Solution:{solution.name}")
        exact = solution.exact.partition("::")[:1] if isinstance(solution.exact, str) else ()
        for path in (*solution.files, *exact):
            named.setdefault(path, place)
    return named


def _is_study(study: Study) -> bool:
    """Return whether its fields have their types; only then can its files be named."""
    try:
        msgspec.convert(msgspec.to_builtins(study), Study, strict=True)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def read_source(folder: Path, name: str, most: int = MAX_SOURCE_BYTES) -> bytes | str:
    """Return a source's bytes, or why it cannot be taken."""
    path = folder / name
    if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        return "leads out of the study's folder"
    try:
        # Opened without waiting, so that a pipe cannot hold us.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not path.resolve().is_relative_to(folder.resolve()):
                return "is a link that leads out of the study's folder"
            if not stat.S_ISREG(status.st_mode):
                return "is not a regular file"
            if status.st_size > most:
                return f"has {status.st_size} bytes, more than {most}"
            return file.read(most)
    except (OSError, RuntimeError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def cannot_load(fact: str, where: str, mend: str) -> StudyError:
    """Return the error of a study that cannot be had at all."""
    return StudyError(problem("RM101", f"the study cannot be loaded: {fact}", where, mend))
