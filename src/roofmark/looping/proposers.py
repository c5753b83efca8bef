"""Proposers: whoever changes a solution; a command, a folder of candidates, a Python function.

In: a `Proposal` (a scratch copy of the study's folder and a brief). Out: changed files in the
scratch and a `Note`. A command runs with the user's rights: what it changes outside its scratch
cannot be seen here, but the loop measures from its own copy of the study.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from roofmark.bench.descendants import MARK
from roofmark.bench.tool import run_tool
from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.loading import read_source
from roofmark.looping.files import put
from roofmark.looping.tries import Ending, Note


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One request for a candidate.

    number: of the try, from 1. folder: the scratch copy, to be changed in place. files: what may
    change in it. params: values of the params that a note may change. brief: a JSON file, beside it
    the same in Markdown. note: where a command may leave its note, as JSON. log: where a command's
    output is kept.
    """

    number: int
    folder: Path
    files: tuple[str, ...]
    params: dict[str, int]
    brief: Path
    note: Path
    log: Path


Proposer = Callable[[Proposal], Note]


class ProposalFailed(Exception):
    """There is no candidate; carries the ending of the try and its reason."""

    def __init__(self, ending: Ending, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.ending: Ending = ending


def from_command(command: str, *, limit: float) -> Proposer:
    """Return a proposer that runs a shell command in the scratch, for at most `limit` seconds.

    The command finds ROOFMARK_BRIEF (a JSON file; Markdown beside it) and ROOFMARK_NOTE (where to
    leave a note) in its environment. It and all that it started are ended when it returns.
    """

    def propose(proposal: Proposal) -> Note:
        environment = os.environ | {
            "ROOFMARK_BRIEF": str(proposal.brief),
            "ROOFMARK_NOTE": str(proposal.note),
            MARK: f"{os.getpid()}-{secrets.token_hex(8)}",
        }
        # No bound on address space: agents' runtimes reserve far more than they use.
        done = run_tool(
            ("/bin/sh", "-c", command),
            folder=proposal.folder,
            environment=environment,
            limit=limit,
            memory=None,
        )
        put(proposal.log, done.output.encode())
        if done.timed_out:
            raise ProposalFailed("timed_out", f"the proposer did not end within {limit:g} s")
        if done.status:
            last = (done.output.strip().splitlines() or ["it said nothing"])[-1]
            raise ProposalFailed("crashed", f"the proposer ended with {done.status}: {last}")
        return _read_note(proposal.note)

    return propose


def from_folder(folder: str | Path) -> Proposer:
    """Return a proposer that tries the entries of a folder in the order of their names.

    A file replaces the solution's first file; a folder's files are laid over the study's. After the
    last one the loop ends. Raises: StudyError RM130 when there is nothing in it.
    """
    place = Path(folder).resolve()
    found = sorted(place.iterdir()) if place.is_dir() else []
    if not found:
        mend = "Name a folder that holds candidates: one file or one folder each."
        raise StudyError(problem("RM130", f"no candidate in {folder}", "--candidates", mend))

    def propose(proposal: Proposal) -> Note:
        if proposal.number > len(found):
            return Note(stop=True)
        chosen = found[proposal.number - 1]
        lay_over(chosen, proposal)
        return Note(hypothesis=chosen.stem)

    return propose


def lay_over(candidate: Path, proposal: Proposal) -> None:
    """Put a candidate in the scratch: a file as the first file, a folder's files over all."""
    if candidate.is_file():
        (proposal.folder / proposal.files[0]).write_bytes(candidate.read_bytes())
    for each in sorted(candidate.rglob("*")) if candidate.is_dir() else ():
        if each.is_file():
            target = proposal.folder / each.relative_to(candidate)
            # A link in the study's folder must not carry a candidate's file out of the scratch.
            if not target.resolve().is_relative_to(proposal.folder.resolve()):
                where = each.relative_to(candidate)
                raise ProposalFailed("refused", f"{where} leads outside the study's folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(each.read_bytes())


def _read_note(path: Path) -> Note:
    """Return the note, or an empty one where none was left. Raises: ProposalFailed."""
    if not path.exists():
        return Note()
    data = read_source(path.parent, path.name)
    try:
        if isinstance(data, str):
            raise ValueError(data)
        return msgspec.json.decode(data, type=Note)
    except (ValueError, msgspec.DecodeError) as error:
        raise ProposalFailed("refused", f"the proposer's note cannot be read: {error}") from error
