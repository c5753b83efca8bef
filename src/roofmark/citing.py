"""Citing: a text's numbers against evidence of any kind, from wherever it lies.

In: a Markdown text; paths of bundles, of files that other tools wrote, of folders of both. Out:
`Citations`, with what was read under names that tell one place from another, and what was not,
each with its reason. Bundles are judged and foreign files imported; only here do both come
together.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from roofmark.analysis.cite.records import Unread
from roofmark.analysis.cite.subjects import Evidence
from roofmark.api import judge
from roofmark.bundle import MANIFEST, open_bundle
from roofmark.bundle_files import read_named, reason_of
from roofmark.codes import problem
from roofmark.errors import BundleError, ImportFailed
from roofmark.foreign import Complete, Imported, Profile, Profiles, Source
from roofmark.profiled import Profiled
from roofmark.records import Missing
from roofmark.terminal_text import file_name

if TYPE_CHECKING:
    from roofmark.analysis.cite import Citations

# Chosen: a folder of more files is no evidence for one text, and reading it would take minutes.
MOST_FILES = 2000
# Chosen: where people put evidence is not deeper; names of folders below it need not fit any call.
MOST_DEPTH = 16
# Chosen: a text of people is below 1 MB; more is data.
LARGEST_TEXT = 1 << 24
# Chosen: "timing/4cta/timing.csv" tells a file from its like; more folders say where a disk is.
_NAMED_PARTS = 3


def cite(text: str | Path, *evidence: str | Path, warm_up: int | None = None) -> "Citations":
    """Return every number of a Markdown file with what the evidence says about it.

    evidence: folders of bundles, files of other tools, or folders of both. warm_up: how many of
        the first samples of a timing file do not count.
    Raises: ImportFailed RM415 when nothing there is evidence, BundleError for a damaged bundle.
    """
    from roofmark.analysis.cite import check_text

    found, unread = _gather([Path(each) for each in evidence], leave=Path(text), warm_up=warm_up)
    return check_text(Path(text).name, _read_text(Path(text)), found, unread=unread)


def _gather(
    paths: Sequence[Path], *, leave: Path, warm_up: int | None = None
) -> tuple[list[Evidence], tuple[Unread, ...]]:
    """Read everything at `paths` except `leave`, the text itself.

    Raises: ImportFailed RM415 when nothing was read, BundleError when a named bundle is damaged.
    """
    read: list[Evidence] = []
    unread: list[Unread] = []
    for path in paths:
        if _is_bundle(path):
            read += _judged(path)
            continue
        for each in _inside(path, leave, unread):
            _try(each, warm_up, read, unread)
    if not read:
        raise _nothing_read(paths, unread)
    return read, tuple(unread)


def _read_text(path: Path) -> str:
    """Return a text. Raises: ImportFailed RM415 for no file, RM417 when it is larger than any."""
    try:
        data = read_named(path)
    except OSError as error:
        mend = "Name a Markdown file."
        fact = f"the text cannot be read: {reason_of(error)}"
        raise ImportFailed(problem("RM415", fact, str(path), mend)) from error
    if len(data) > LARGEST_TEXT:
        fact, mend = f"the text has more than {LARGEST_TEXT:,} bytes", "Cite a part of it."
        raise ImportFailed(problem("RM417", fact, str(path), mend))
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def _is_bundle(path: Path) -> bool:
    return (path / MANIFEST).is_file()


def _judged(path: Path) -> Iterator[Evidence]:
    """Yield what follows from a bundle, and what a profiler counted of its solutions."""
    bundle = open_bundle(path)
    yield Evidence(_name(path), judge(bundle))
    for pair in bundle.profiles():
        if isinstance(pair.outcome, Profiled):
            name = f"profiles/{pair.workload}/{pair.solution}.json"
            launches = tuple(_untimed(each.profile) for each in pair.outcome.launches)
            source = Source(
                name=name, format="bundle", size=0, sha256=bundle.digest, tool=pair.outcome.tool
            )
            counted = Imported(
                source=source,
                completeness=Complete(),
                contents=(Profiles(launches=launches),),
                notes=(),
            )
            yield Evidence(f"{_name(path)}/{name}", counted)


def _untimed(profile: Profile) -> Profile:
    """Return the counters alone: beside samples, a time under a profiler is no evidence."""
    untimed = {n: metric for n, metric in profile.metrics.items() if "time_duration" not in n}
    reason = Missing(reason="the bundle has samples")
    return structs.replace(profile, duration=reason, metrics=untimed)


def _try(path: Path, warm_up: int | None, read: list[Evidence], unread: list[Unread]) -> None:
    from roofmark.importers import read_foreign
    from roofmark.importers.source import Declared

    try:
        if path.is_dir():
            read += _judged(path)
        else:
            read.append(
                Evidence(_name(path), read_foreign(path, declared=Declared(None, None, warm_up)))
            )
    except BundleError as error:
        unread.append(Unread(name=_name(path), reason=error.problems[0].fact))
    except OSError as error:
        unread.append(Unread(name=_name(path), reason=error.strerror or str(error)))


def _inside(path: Path, leave: Path, unread: list[Unread]) -> Iterator[Path]:
    """Yield the path itself, or the files and bundles in a folder; links are not followed."""
    if not path.is_dir():
        yield path
        return
    count = 0
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        if len(here.parts) - len(path.parts) >= MOST_DEPTH:
            folders.clear()
        if here != path and _is_bundle(here):
            folders.clear()
            yield here
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = here / name
            if name.startswith(".") or file.is_symlink() or _same(file, leave):
                continue
            count += 1
            if count > MOST_FILES:
                unread.append(Unread(name=_name(path), reason=f"more than {MOST_FILES} files"))
                return
            yield file


def _same(one: Path, two: Path) -> bool:
    return two.exists() and one.samefile(two)


def _name(path: Path) -> str:
    return file_name("/".join(path.absolute().parts[-_NAMED_PARTS:]))


def _nothing_read(paths: Sequence[Path], unread: Sequence[Unread]) -> ImportFailed:
    first = f": {unread[0].name}: {unread[0].reason}" if unread else ""
    return ImportFailed(
        problem(
            "RM415",
            f"none of {len(unread)} files is evidence{first}",
            ", ".join(str(path) for path in paths[:5]),
            "Name a bundle, or a file that `roofmark import` reads.",
        )
    )
