"""Evaluating: proof of build, first run, confirmation; a candidate becomes a try.

In: a loop's state and a candidate. Out: a `Try`. Which run follows which, at which level, and when
a candidate is kept stands in `decide`, which knows no folder and no device: benchmarks/loop.py
drives the same function with recorded noise.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from roofmark import api
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.scratch import open_scratch
from roofmark.bundle import Bundle
from roofmark.errors import BundleError, StudyError
from roofmark.loading import LoadedStudy, load_study
from roofmark.looping.change import build_binary, fingerprint
from roofmark.looping.duel import (
    Say,
    Won,
    conclude,
    confirmation_level,
    measure,
    until_known,
    write_duel,
)
from roofmark.looping.files import copy_tree, overlay
from roofmark.looping.params import find_misfit
from roofmark.looping.state import State
from roofmark.looping.tries import Candidate, Ending, Measured, Try, Version
from roofmark.options import RunOptions
from roofmark.records import Missing

What = Literal["first", "confirmation"]
Duel = Callable[[What, float], tuple[Ending | Won, str, Measured]]
"""Measures a candidate against its incumbent, for what, at which level."""

_NOT_MEASURED = Missing(reason="not measured")


def evaluate(state: State, start: Bundle, candidate: Candidate, say: Say | None) -> Try:
    """Return the try that follows from a candidate, measured as far as it deserves."""
    before = state.version(candidate.against)
    changed = candidate.version.params.items() - before.params.items()
    blank = Try(
        number=candidate.number,
        against=candidate.against,
        ending="undecided",
        reason="",
        note=candidate.note,
        params=dict(sorted(changed)),
        diff=candidate.diff,
        fingerprint=fingerprint(candidate.version),
        binary=_NOT_MEASURED,
        same_as=Missing(reason="a program of its own"),
        first=_NOT_MEASURED,
        confirmation=_NOT_MEASURED,
        seconds=candidate.seconds,
        device_seconds=0.0,
    )
    if isinstance(candidate.failure, tuple):
        ending, reason = candidate.failure
        asked = candidate.note.params
        return replace(blank, ending=ending, reason=reason, fingerprint="", params=asked)
    try:
        proved = _prove(state, start, candidate, blank)
        if proved.reason:
            return proved
        return decide(
            proved,
            partial(_duel, state, candidate, start, say),
            level=state.loaded.study.protocol.level,
            alpha=state.plan.alpha,
            confirmed=state.journal.confirmed,
        )
    except (StudyError, BuildError) as error:
        return replace(blank, ending="build_failed", reason=str(error))


def decide(
    proved: Try, duel: Duel, *, level: float, alpha: float, confirmed: Sequence[bool]
) -> Try:
    """Return the try once its runs are done: kept if it won both.

    level: of the first run. confirmed: whether each earlier confirmation of this loop kept; they
    share alpha.
    """
    ending, reason, first = duel("first", level)
    done = _measured(replace(proved, first=first), first)
    if ending != "won":
        return replace(done, ending=ending, reason=reason)
    ending, reason, again = duel("confirmation", confirmation_level(alpha, confirmed))
    done = _measured(replace(done, confirmation=again), again)
    if ending != "won":
        return replace(done, ending=ending, reason=f"not confirmed: {reason}")
    return replace(done, ending="kept", reason=reason)


def _measured(done: Try, run: Measured) -> Try:
    return replace(
        done,
        seconds=round(done.seconds + run.seconds, 3),
        device_seconds=round(done.device_seconds + run.seconds, 3),
    )


# --- proof ---------------------------------------------------------------------------------------
def _prove(state: State, start: Bundle, candidate: Candidate, blank: Try) -> Try:
    """Return the try with its binary, and ended where there is nothing new to measure."""
    before = state.version(candidate.against)
    if fingerprint(before) == blank.fingerprint:
        return _unchanged(blank, "the same program as the incumbent")
    if earlier := _earlier(state, blank):
        return _repeated(blank, earlier)
    if misfit := _misfit(state, candidate):
        return replace(blank, ending="refused", reason=misfit)
    _build_ahead(state, start, candidate)
    asked = (state.loaded, state.plan.solution)
    binary = build_binary(*asked, candidate.version, start.environment)
    proved = replace(blank, binary=binary)
    if isinstance(binary, str):
        if binary == build_binary(*asked, before, start.environment):
            return _unchanged(proved, "the same machine code as the incumbent")
        if earlier := _earlier(state, proved):
            return _repeated(proved, earlier)
    return proved


def _build_ahead(state: State, start: Bundle, candidate: Candidate) -> None:
    """Fill the build cache with what is to come; who fails to build is told when its turn comes.

    Nothing is measured meanwhile, so the compilers may have all cores. Proposers name what is to
    come at every try; each is built, and its machine code looked at, once.
    """
    points = [params for params in candidate.note.ahead if set(params) <= set(state.params)]
    if not points or state.loaded.study.solution(state.plan.solution).language == "python":
        return
    own = candidate.version
    versions = [own, *(replace(own, params=own.params | params) for params in points)]
    coming = {fingerprint(version): version for version in versions}
    fresh = [version for name, version in coming.items() if name not in state.built]
    state.built.update(coming)

    def build(version: Version) -> None:
        with contextlib.suppress(BuildError):
            build_binary(state.loaded, state.plan.solution, version, start.environment)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(build, fresh))


def _unchanged(new: Try, reason: str) -> Try:
    return replace(new, ending="no_change", reason=reason, same_as=new.against)


def _repeated(new: Try, earlier: Try) -> Try:
    """A second chance is one too many: what was measured then is the answer now."""
    reason = f"the same program as try {earlier.number} ({earlier.ending})"
    return replace(new, ending="repeated", reason=reason, same_as=earlier.number)


def _earlier(state: State, new: Try) -> Try | None:
    """Return the earlier try that was this very program."""
    for each in state.journal.tries:
        alike = each.fingerprint == new.fingerprint or (
            isinstance(new.binary, str) and each.binary == new.binary
        )
        if alike and each.ending not in ("refused", "repeated", "no_change"):
            return each
    return None


def _misfit(state: State, candidate: Candidate) -> str:
    """Return why study.py could not say the candidate's params, should it be kept."""
    params, kept = candidate.version.params, state.folder / "study"
    if params == state.loaded.study.solution(state.plan.solution).params:
        return ""
    # The whole one: `state.loaded` may hold some of its workloads only.
    study = load_study(kept / state.plan.file).study
    solutions = tuple(
        replace(each, params=params) if each.name == state.plan.solution else each
        for each in study.solutions
    )
    with open_scratch() as scratch:
        folder = scratch / "study"
        copy_tree(kept, folder)
        overlay(folder, state.texts(replace(state.version(0), params=params)).items())
        return find_misfit(folder / state.plan.file, replace(study, solutions=solutions))


# --- runs ----------------------------------------------------------------------------------------
def _duel(
    state: State, candidate: Candidate, start: Bundle, say: Say | None, what: What, level: float
) -> tuple[Ending | Won, str, Measured]:
    """Run the candidate against its incumbent into the try's bundle `what`."""
    plan, confirm, earlier = state.plan, what == "confirmation", state.journal.noise
    versions = (state.version(candidate.against), candidate.version)
    fleet = state.fleet or start.run.fleet
    options = RunOptions(device=start.run.device, confirm=confirm, fleet=fleet)
    loaded = state.loaded if confirm else _without_controls(state.loaded)
    with open_scratch() as scratch:
        study = write_duel(
            scratch, loaded, plan.solution, versions, margin=plan.margin, level=level
        )
        output = state.run(candidate.number, what)
        until = until_known(plan.group_margin, earlier)
        bundle = _measure(study, output, options, say, until)
    return conclude(bundle, state.loaded.study.protocol.level, plan.group_margin, earlier)


def _measure(
    study: Path, output: Path, options: RunOptions, say: Say | None, until: api.Until
) -> Bundle:
    """Measure, or go on; from nothing where another machine began what is not finished.

    What it left stays beside the new run: samples of two machines do not mix, and none is thrown
    away.
    """
    try:
        return measure(study, output, options, say, until)
    except BundleError as error:
        if error.code != "RM410" or options.fleet:
            raise
    left = (output.with_name(f"{output.name}-left-{number}") for number in count(1))
    output.rename(next(path for path in left if not path.exists()))
    return measure(study, output, options, say, until)


def _without_controls(loaded: LoadedStudy) -> LoadedStudy:
    """Return the study for a first run: the start has tried the gate already, here and today."""
    return dataclasses.replace(loaded, study=replace(loaded.study, wrong=()))
