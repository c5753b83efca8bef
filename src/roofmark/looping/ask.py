"""Asking: a proposer gets the incumbent in a scratch and a brief, and leaves a candidate.

In: a loop's state, a proposer. Out: a `Candidate` in the try's folder, written before anything is
built or measured; or nothing, when the proposer has no more to propose.
"""

import time
from pathlib import Path

from msgspec.structs import replace

from roofmark import api
from roofmark.bench.scratch import open_scratch
from roofmark.bundle import Bundle, open_bundle
from roofmark.errors import BundleError, StudyError
from roofmark.looping.brief import make_brief, render_brief
from roofmark.looping.change import Contents, diff_of, find_refusal
from roofmark.looping.duel import CANDIDATE
from roofmark.looping.files import copy_tree, overlay, put, snapshot
from roofmark.looping.proposers import Proposal, ProposalFailed, Proposer
from roofmark.looping.state import State, changed_inside
from roofmark.looping.tries import Candidate, Ending, Note, Version
from roofmark.records import encode_pretty
from roofmark.study import twin_of

_Failure = tuple[Ending, str]


def find_candidate(state: State, start: Bundle, propose: Proposer, number: int) -> Candidate | None:
    """Return the candidate of a try, asked for if need be; None when the proposer stops."""
    path = state.place(number) / "candidate.json"
    if not path.exists():
        _write_brief(state, start, number)
        candidate = _ask(state, propose, number)
        if candidate.note.stop:
            return None
        put(path, encode_pretty(candidate))
    return state.stored(number)


def _ask(state: State, propose: Proposer, number: int) -> Candidate:
    place, own, began = state.place(number), state.folder / "study", time.monotonic()
    best = state.journal.best
    before, held = state.version(best), snapshot(own)
    with open_scratch() as scratch:
        folder = scratch / "study"
        copy_tree(own, folder)
        overlay(folder, before.files.items())
        seen = snapshot(folder)
        proposal = Proposal(
            number=number,
            folder=folder,
            files=state.files,
            params={name: before.params[name] for name in state.params},
            brief=(place / "brief.json").resolve(),
            note=scratch / "note.json",
            log=place / "proposer.log",
        )
        note, failure = _proposed(propose, proposal)
        after = _left(folder)
    if _left(own) != held:
        raise changed_inside(own)
    failure = failure or _refusal(state, note, seen, after)
    version = before if failure else _version(before, note, after)
    candidate = Candidate(
        number=number,
        against=best,
        version=version,
        diff=diff_of(before, version),
        note=note,
        seconds=round(time.monotonic() - began, 3),
    )
    return candidate if failure is None else replace(candidate, failure=failure)


def _proposed(propose: Proposer, proposal: Proposal) -> tuple[Note, _Failure | None]:
    try:
        return propose(proposal), None
    except ProposalFailed as failed:
        return Note(), (failed.ending, str(failed))
    except (StudyError, BundleError):  # a proposer of ours cannot work at all, or the disk is full
        raise
    except Exception as error:  # a proposer is a stranger's code
        return Note(), ("crashed", f"the proposer raised {type(error).__name__}: {error}")


def _left(folder: Path) -> Contents:
    """Return what a proposer left; under no name, why it cannot be read."""
    try:
        return snapshot(folder)
    except (OSError, RecursionError) as error:
        return {"": f"what cannot be read: {error}"}


def _refusal(state: State, note: Note, before: Contents, after: Contents) -> _Failure | None:
    others = sorted(set(note.params) - set(state.params))
    if others:
        may = ", ".join(state.params) or "none"
        return "refused", f"changed params that it may not: {', '.join(others)} (may: {may})"
    refusal = find_refusal(before, after, state.files)
    return ("refused", refusal) if refusal else None


def _version(before: Version, note: Note, after: Contents) -> Version:
    files = {name: _text(after[name]) for name in before.files}
    return Version(files=files, params=before.params | note.params)


def _text(content: str | bytes) -> str:
    return content.decode() if isinstance(content, bytes) else content


def _write_brief(state: State, start: Bundle, number: int) -> None:
    best, name, bundle = state.journal.best, state.plan.solution, start
    if best:
        bundle, name = open_bundle(state.run(best, "confirmation")), CANDIDATE
    elif name == bundle.study.baseline:
        name = twin_of(name)
    brief = make_brief(
        number,
        state.plan,
        (state.version(0), state.version(best)),
        (best, api.judge(bundle), name),
        state.journal.tries,
        params=state.params,
    )
    place = state.place(number)
    put(place / "brief.md", render_brief(brief).encode())
    put(place / "brief.json", encode_pretty(brief))
