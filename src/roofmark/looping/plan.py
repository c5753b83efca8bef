"""The plan: what a loop was asked, and the study as it was then.

In: the arguments of a loop, its folder. Out: the loaded study from the loop's own copy, and the
plan, written by the first session and compared by every later one.
"""

import dataclasses
import shutil
from pathlib import Path

from msgspec.structs import replace

from roofmark.bundle_files import read_plain
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.loading import LoadedStudy, load_study
from roofmark.looping.files import copy_tree, put
from roofmark.looping.tries import LoopPlan
from roofmark.narrowing import no_match, select_workloads
from roofmark.options import LoopOptions
from roofmark.records import decode, digest, encode_pretty

PLAN = "loop.json"


def open_plan(
    given: Path, source: Path, solution: str, folder: Path, options: LoopOptions
) -> tuple[LoadedStudy, LoopPlan]:
    """Begin a loop in `folder`, or find the one that began there.

    given: as named by the caller. source: the study's folder. Raises: StudyError RM130, RM103 and
    those of loading; BundleError RM422 when what is there was asked something else.
    """
    file = "study.py" if given.is_dir() else given.name
    kept = folder / "study"
    if not kept.exists():
        _copy_study(given, source, kept, folder)
    loaded = _narrowed(load_study(kept / file), options.workloads)
    names = [each.name for each in loaded.study.solutions]
    if solution not in names:
        raise no_match("solution", [solution], names)
    margin = loaded.study.protocol.margin if options.margin is None else options.margin
    group_margin = margin if options.group_margin is None else options.group_margin
    plan = LoopPlan(
        source=str(source),
        file=file,
        study=digest(loaded.study),
        solution=solution,
        device=options.device,
        workloads=options.workloads,
        margin=margin,
        group_margin=group_margin,
        alpha=options.alpha,
    )
    _check_numbers(plan)
    if not (folder / PLAN).exists():
        put(folder / PLAN, encode_pretty(plan))
    _check_same(read_plan(folder), plan, folder)
    return loaded, plan


def _narrowed(loaded: LoadedStudy, patterns: tuple[str, ...]) -> LoadedStudy:
    """Return the study with these workloads and all held-out ones. Raises: StudyError RM130."""
    if not patterns:
        return loaded
    every = loaded.study.workloads
    chosen = select_workloads(tuple(w for w in every if not w.held_out), patterns)
    workloads = tuple(w for w in every if w.held_out or w in chosen)
    return dataclasses.replace(loaded, study=replace(loaded.study, workloads=workloads))


def read_plan(folder: Path) -> LoopPlan:
    """Return what the loop in a folder was asked. Raises: BundleError RM402, OSError."""
    return decode(read_plain(folder / PLAN), LoopPlan, where=folder / PLAN)


def _copy_study(given: Path, source: Path, kept: Path, folder: Path) -> None:
    load_study(given)  # What cannot be loaded is told before anything is copied.
    partial = kept.with_name("study.partial")
    shutil.rmtree(partial, ignore_errors=True)
    copy_tree(source, partial, without=folder)
    partial.rename(kept)


def _check_numbers(plan: LoopPlan) -> None:
    """Raises: StudyError RM103."""
    for name, most in (("margin", 1.0), ("group_margin", 1.0), ("alpha", 0.5)):
        value = getattr(plan, name)
        if not 0 < value < most:
            mend = f"Give a number between 0 and {most:g}."
            option = f"--{name.replace('_', '-')}"
            raise StudyError(problem("RM103", f"{name} is {value:g}", option, mend))


def _check_same(there: LoopPlan, asked: LoopPlan, folder: Path) -> None:
    differ = [n for n in LoopPlan.__struct_fields__ if getattr(there, n) != getattr(asked, n)]
    if differ:
        mend = "Ask as it was asked then, or name another folder with -o."
        fact = f"its {', '.join(differ)} differ{'s' if len(differ) == 1 else ''}"
        raise BundleError(problem("RM422", fact, str(folder), mend))
