"""Reading: all bundles of a source, each judged once in its life, on every core there is.

In: a source and an index. Out: what could be read, what could not and why. A bundle whose stamp is
the one that was kept is not opened; any other is checked byte for byte, and judged only if no
bundle with that manifest ever was.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from roofmark.analysis.history import Damaged
from roofmark.options import Progress
from roofmark.remembering.found import Found, Source
from roofmark.remembering.index import Index
from roofmark.remembering.worker import Extract, Read, begin, read_share, read_some

# Chosen: the work on so many bundles (0.1 s) outweighs sending it to a process.
_SHARE = 16
# Chosen: starting a process takes a second, in which one process judges so many.
_ALONE = 128
# Chosen: more processes than this wait for the disk and for the one that gathers.
_MOST = 8
Say = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies there: bundle by bundle, the digest where the index may be trusted, else "".

    damaged: what cannot be one of them, and why.
    """

    found: tuple[tuple[Found, str], ...]
    damaged: tuple[Damaged, ...]


def survey(source: Source, index: Index) -> Survey:
    """Look at every bundle without opening one."""
    held = list(source.find())
    found = [each for each in held if isinstance(each, Found)]
    known = index.trusted(source.base, {each.place: each.stamp for each in found})
    return Survey(
        found=tuple((each, known.get(each.place, "")) for each in found),
        damaged=tuple(each for each in held if isinstance(each, Damaged)),
    )


def read_all(
    source: Source,
    wanted: Sequence[Found],
    index: Index,
    *,
    extract: Extract | None = None,
    say: Say | None = None,
) -> Iterator[tuple[Found, Read | str]]:
    """Yield what opening each bundle gave, in order; keep in the index what was judged."""
    done = 0
    for share, results in _shares(source, wanted, index, extract):
        pairs = list(zip(share, results, strict=True))
        read = [(found, each) for found, each in pairs if isinstance(each, Read)]
        index.keep(
            [each.kept for _, each in read if each.fresh],
            [(found.place, found.stamp, each.kept.bundle) for found, each in read if found.stamp],
        )
        done += len(share)
        if say is not None and len(wanted) >= _ALONE:
            say(Progress(text="reading bundles", done=done, total=len(wanted)))
        yield from pairs


def _shares(
    source: Source, wanted: Sequence[Found], index: Index, extract: Extract | None
) -> Iterator[tuple[Sequence[Found], list[Read | str]]]:
    workers = min(_MOST, len(os.sched_getaffinity(0)))
    if source.here and workers > 1 and len(wanted) >= _ALONE:
        yield from _in_processes(source, wanted, index, extract, workers)
    else:
        for found in wanted:
            yield (found,), [_read_here(source, found, index, extract)]


def _read_here(source: Source, found: Found, index: Index, extract: Extract | None) -> Read | str:
    try:
        with source.fetched(found) as path:
            return read_some([path], index.folder, extract)[0]
    except OSError as error:
        return f"it cannot be fetched: {error}"


def _in_processes(
    source: Source,
    wanted: Sequence[Found],
    index: Index,
    extract: Extract | None,
    workers: int,
) -> Iterator[tuple[Sequence[Found], list[Read | str]]]:
    """Share the work; no more is under way than the workers need, so memory stays bounded."""
    left = deque(wanted[at : at + _SHARE] for at in range(0, len(wanted), _SHARE))
    waiting: deque[tuple[Sequence[Found], Future[list[Read | str]]]] = deque()

    def submit(pool: ProcessPoolExecutor, share: Sequence[Found]) -> Future[list[Read | str]]:
        paths = [_path(source, found) for found in share]
        return pool.submit(read_share, paths, index.folder, extract)

    while left:
        pool = _pool(workers)
        try:
            while left or waiting:
                while left and len(waiting) <= 2 * workers:
                    waiting.append((left[0], submit(pool, left[0])))
                    left.popleft()
                yield waiting[0][0], waiting[0][1].result()
                waiting.popleft()
        except BrokenProcessPool:
            # One of these ended a process; each is read again in a process of its own.
            for share, _ in waiting:
                yield share, [_apart(_path(source, each), index, extract) for each in share]
            waiting.clear()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Chosen: a forked process would inherit locks whose threads it does not have.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin)


def _apart(path: Path, index: Index, extract: Extract | None) -> Read | str:
    with _pool(1) as pool:
        try:
            return pool.submit(read_some, [path], index.folder, extract).result()[0]
        except BrokenProcessPool:
            return "the process that read it was killed; it may need more memory than there is"


def _path(source: Source, found: Found) -> Path:
    """Return the folder of a bundle that lies here for good."""
    with source.fetched(found) as path:
        return path
