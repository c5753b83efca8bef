"""The database: the tables of one source's bundles, in a file that can be deleted at any time.

In: a source of bundles and the index. Out: a DuckDB file whose rows are those of the bundles that
lie there now. The file is never changed: what is new is added to a copy, which then takes its place
in one rename, so that other processes keep what they opened, and a kill leaves the old one.
"""

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from roofmark.analysis.history import Damaged
from roofmark.bundle_lock import LOCK
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.querying.filling import Filling, load_duckdb
from roofmark.querying.rows import extract_rows
from roofmark.records import digest
from roofmark.remembering import no_bundle, without_copies
from roofmark.remembering.found import Found, Source
from roofmark.remembering.index import Index
from roofmark.remembering.reading import Say, Survey, read_all, survey

# Raised whenever a table gets other columns or a row other contents.
FORMAT = 1
# Chosen: seconds in which a folder that was just made gets its lock.
_NEW = 10
_PREFIX = "filling-"


@contextmanager
def prepared(
    source: Source, index: Index, *, say: Say | None = None
) -> Generator[tuple[Path, list[Damaged]]]:
    """Yield a file with the tables of what lies there now, and what is not counted.

    Raises: BundleError RM470 without DuckDB, RM401 where there is no bundle.
    """
    file = index.folder / f"{_name(source)}.duckdb"
    with _scratch(index.folder) as folder:
        made = folder / "tables.duckdb"
        held = _held(file)
        with _written(index.folder), closing(Filling(made, file if held else None)) as filling:
            paths, damaged = _fill(filling, source, index, held, say)
            if filling.begun or paths != held or not held:
                filling.finish(paths)
        yield (_put(made, file) if filling.begun else file), damaged


def _name(source: Source) -> str:
    """Name the file by what decides what is in it; another DuckDB may not read it."""
    return "tables-" + digest(f"{FORMAT} {load_duckdb().__version__} {source.base}".encode())[:24]


def _held(file: Path) -> dict[str, str]:
    """Return bundle -> path of what a file holds; nothing where it cannot be read."""
    duckdb = load_duckdb()
    if not file.exists():
        return {}
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return dict(connection.execute("SELECT bundle, path FROM studies").fetchall())
    except duckdb.Error:
        return {}


def _fill(
    filling: Filling, source: Source, index: Index, held: Mapping[str, str], say: Say | None
) -> tuple[dict[str, str], list[Damaged]]:
    """Add the rows of each bundle that has none; return bundle -> path, and what does not count."""
    seen = survey(source, index)
    if not seen.found and not seen.damaged:
        raise no_bundle(source)
    known = {found.place: bundle for found, bundle in seen.found if bundle in held}
    damaged = list(seen.damaged)
    wanted = [found for found, _ in seen.found if found.place not in known]
    taken = set(held)
    for found, read in read_all(source, wanted, index, extract=extract_rows, say=say):
        if isinstance(read, str):
            damaged.append(Damaged(name=found.name, reason=read))
            continue
        known[found.place] = read.kept.bundle
        if read.kept.bundle not in taken:
            taken.add(read.kept.bundle)
            filling.add(read.kept.bundle, read.extracted)
    filling.flush()
    return _where(seen, known, filling.refused, damaged)


def _where(
    seen: Survey, known: Mapping[str, str], refused: Mapping[str, str], damaged: list[Damaged]
) -> tuple[dict[str, str], list[Damaged]]:
    named: list[tuple[Found, str]] = []
    for found, _ in seen.found:
        bundle = known.get(found.place, "")
        if bundle in refused:
            damaged.append(Damaged(name=found.name, reason=refused[bundle]))
        elif bundle:
            named.append((found, bundle))
    kept, copies = without_copies(named)
    return {bundle: found.name for found, bundle in kept}, [*damaged, *copies]


@contextmanager
def _scratch(beside: Path) -> Generator[Path]:
    """Yield a folder on the index's own disk, or anywhere if that cannot be written."""
    try:
        _sweep(beside)
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside))
    except OSError:
        made = Path(tempfile.mkdtemp(prefix="roofmark-"))
    try:
        with (made / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Take away what a kill left: nobody holds its lock any more."""
    for each in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - each.lstat().st_mtime < _NEW:
                continue
            with (each / LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(each, ignore_errors=True)


@contextmanager
def _written(folder: Path) -> Generator[None]:
    """Tell of a disk that is full, or of anything else that keeps the tables from being written."""
    try:
        yield
    except (OSError, load_duckdb().Error) as error:
        fact = f"the tables cannot be written: {error}"
        mend = "Make room there, or name another folder in XDG_CACHE_HOME."
        raise BundleError(problem("RM474", fact, str(folder), mend)) from error


def _put(made: Path, file: Path) -> Path:
    """Put the copy in its place; where that fails, it is asked where it is."""
    try:
        made.replace(file)
    except OSError:
        return made
    return file
