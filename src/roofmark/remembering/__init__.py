"""Remembering: every bundle of a folder or an address, each judged once.

In: a folder, or an address that fsspec knows. Out: a `History`. What judging a bundle gave is kept
in the user's cache folder under the digest of its manifest (index.py); the cache can be deleted at
any time and is never the evidence.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from roofmark.analysis.baseline import Baseline
from roofmark.analysis.history import Damaged, History, Named, trace_history
from roofmark.analysis.summaries import RunSummary
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.records import Missing
from roofmark.remembering.found import Folder, Found, Source
from roofmark.remembering.index import Index, cache_folder, unpack_summary
from roofmark.remembering.reading import Say, read_all, survey
from roofmark.remembering.remote import Remote, is_address, local_path

__all__ = ["open_source", "read_history", "without_copies"]


def read_history(
    where: Path | str,
    *,
    solution: str | None = None,
    workload: str | None = None,
    pin: Baseline | None = None,
    cache: Path | None = None,
    say: Say | None = None,
) -> History:
    """Return the history of every bundle below a folder or an address.

    pin: what to show beside the bundles that it can be compared with. cache: where the index is;
    by default in the user's cache folder. say: told how far it is.
    Raises: BundleError RM401 where there is no bundle, RM471 for an address that cannot be read,
        StudyError RM130 for a solution, a workload or a pin that fits none of them. A damaged
        bundle is listed, not raised.
    """
    source = open_source(where)
    with Index(cache or cache_folder()) as index:
        runs, damaged = _summaries(source, index, say)
    if not runs and not damaged:
        raise no_bundle(source)
    _check_filters(source, [run for _, run in runs], solution, workload)
    history = trace_history(runs, damaged, solution=solution, workload=workload, pin=pin)
    if runs and not history.lines:
        fact = f"no bundle has both {solution!r} and {workload!r}"
        raise no_match(source, fact, {run.title for _, run in runs})
    if pin is not None and all(isinstance(line.pin, Missing) for line in history.lines):
        fits = f"{pin.study} on {pin.device_name}, {pin.tier} tier, {pin.cache}"
        fact = f"the pin is of {fits}, and no bundle is"
        raise no_match(source, fact, {line.study for line in history.lines})
    return history


def open_source(where: Path | str) -> Source:
    """Return the folder or the address. Raises: BundleError RM401, RM470, RM471."""
    if is_address(str(where)):
        return Remote(str(where))
    folder = local_path(str(where))
    if not folder.is_dir():
        fact, mend = "there is no such folder", "Name a folder of bundles, or an address."
        raise BundleError(problem("RM401", fact, str(where), mend))
    return Folder(folder)


def no_bundle(source: Source) -> BundleError:
    """Return the error for a place without bundles: nothing would pass for a history."""
    fact, mend = "there is no bundle in this folder", "Name a folder of bundles."
    return BundleError(problem("RM401", fact, source.title, mend))


def without_copies(
    named: Iterable[tuple[Found, str]],
) -> tuple[list[tuple[Found, str]], list[Damaged]]:
    """Part (bundle, digest) into the first of each digest and its copies: no second run."""
    first: dict[str, Found] = {}
    kept: list[tuple[Found, str]] = []
    copies: list[Damaged] = []
    for found, digest in named:
        if digest in first:
            reason = f"a copy of {first[digest].name}, counted once"
            copies.append(Damaged(name=found.name, reason=reason))
        else:
            first[digest] = found
            kept.append((found, digest))
    return kept, copies


def _summaries(source: Source, index: Index, say: Say | None) -> tuple[list[Named], list[Damaged]]:
    seen = survey(source, index)
    damaged = list(seen.damaged)
    digests = {found.place: digest for found, digest in seen.found if digest}
    held = index.summaries(digests.values())
    wanted = [found for found, digest in seen.found if digest not in held]
    for found, read in read_all(source, wanted, index, say=say):
        if isinstance(read, str):
            damaged.append(Damaged(name=found.name, reason=read))
            digests.pop(found.place, None)
        else:
            digests[found.place] = read.kept.bundle
            held[read.kept.bundle] = unpack_summary(read.kept)
    named = [(found, digests[found.place]) for found, _ in seen.found if found.place in digests]
    runs, copies = without_copies(named)
    return [(found.name, held[digest]) for found, digest in runs], [*damaged, *copies]


def _check_filters(
    source: Source, runs: Sequence[RunSummary], solution: str | None, workload: str | None
) -> None:
    """Raise for a filter that matches nothing. A baseline has no speed-up, so it has no row."""
    solutions = {n for run in runs for n in run.solutions if n != run.baseline}
    workloads = {w for run in runs for w in run.conditions.workloads}
    for what, name, known in (
        ("solution", solution, solutions),
        ("workload", workload, workloads),
    ):
        if name is not None and name not in known:
            raise no_match(source, f"there is no {what} {name!r}", known)


def no_match(source: Source, fact: str, known: Iterable[str]) -> StudyError:
    """Return the error for a filter that matches nothing."""
    mend = f"Name one of: {', '.join(sorted(known)) or 'none, no bundle can be read'}."
    return StudyError(problem("RM130", fact, source.title, mend))
