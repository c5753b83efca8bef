"""The loop itself: proposal, proof, first run, confirmation, journal, and again.

In: a study, a solution's name, a proposer, a folder. Out: that folder, which holds

    loop.json  study/        what was asked, and the loop's own copy of the study's folder
    start/                   bundle of the study's own solution: what there is to beat
    tries/0001/              brief.json, brief.md, proposer.log, candidate.json, bundles first/ and
                             confirmation/
    journal.jsonl ledger.md  one line for each try
    best/                    the files of the last kept candidate

Each step leaves its result by one rename, and a step whose result is there is not done again, so a
loop that was killed anywhere goes on when it is started again.
"""

import dataclasses
import os
import shutil
import time
from pathlib import Path

from msgspec.structs import replace

from roofmark import api
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.scratch import open_scratch
from roofmark.bundle import Bundle, open_bundle
from roofmark.bundle_lock import lock_folder
from roofmark.codes import problem
from roofmark.errors import BenchError, StudyError
from roofmark.looping.brief import make_brief, render_brief
from roofmark.looping.change import (
    build_binary,
    changeable_files,
    diff_of,
    find_refusal,
    fingerprint,
)
from roofmark.looping.commit import check_work_tree, commit_kept, render_message
from roofmark.looping.duel import (
    CANDIDATE,
    Say,
    Won,
    conclude,
    confirmation_level,
    measure,
    write_duel,
)
from roofmark.looping.files import copy_tree, overlay, put, snapshot
from roofmark.looping.journal import Journal
from roofmark.looping.plan import open_plan
from roofmark.looping.proposers import Proposal, ProposalFailed, Proposer
from roofmark.looping.tries import Candidate, Ending, Interrupted, Measured, Note, Try
from roofmark.options import LoopOptions, RunOptions
from roofmark.records import Missing, decode, encode_pretty
from roofmark.study import twin_of

_NOT_MEASURED = Missing(reason="not measured")


def loop(
    study: str | Path,
    solution: str,
    propose: Proposer,
    output: str | Path,
    *,
    options: LoopOptions | None = None,
    progress: Say | None = None,
) -> list[Try]:
    """Try candidates until a budget is spent or the proposer stops; return every try so far.

    study: a `study.py` or its folder. solution: the one to improve. propose: called once per try
    with a `Proposal`; it changes files in the scratch and returns a `Note`. output: the loop's
    folder; a loop that was interrupted there goes on.
    Raises: StudyError, BenchError, BundleError; what was measured is kept.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(output)
    try:
        return _Loop(Path(study), solution, propose, output, options or LoopOptions()).run(progress)
    finally:
        os.close(lock)


class _Loop:
    """One session of a loop."""

    def __init__(
        self, source: Path, solution: str, propose: Proposer, folder: Path, options: LoopOptions
    ) -> None:
        self.folder, self.options, self.propose = folder, options, propose
        self.source = source.resolve() if source.is_dir() else source.resolve().parent
        self.loaded, self.plan = open_plan(source, self.source, solution, folder, options)
        self.files = changeable_files(self.loaded, solution)
        self.journal = Journal(folder)
        self.run_options = RunOptions(device=options.device, fleet=options.fleet)
        self.say: Say | None = None

    def run(self, say: Say | None) -> list[Try]:
        """Go on until there is nothing left to do."""
        self.say = say
        if self.options.commit:
            check_work_tree(self.source)
        self.start = self._measure_start()
        self._tell_interrupted()
        self._promote()
        end = time.monotonic() + (self.options.time_limit or float("inf"))
        while len(self.journal.tries) < self.options.iterations and time.monotonic() < end:
            number = len(self.journal.tries) + 1
            candidate = self._candidate(number)
            if candidate is None:
                shutil.rmtree(self._place(number))
                break
            self.journal.append(self._evaluate(candidate))
            self._promote()
        return self.journal.tries

    # --- what there is to beat -------------------------------------------------------------------
    def _measure_start(self) -> Bundle:
        """Measure the study's own solution. Raises: BenchError RM333 when it does not pass."""
        name = self.plan.solution
        options = dataclasses.replace(self.run_options, solutions=(name,))
        bundle = measure(
            self.folder / "study" / self.plan.file, self.folder / "start", options, self.say
        )
        seen = name if name != bundle.study.baseline else twin_of(name)
        fates = [cell.outcome for cell in api.judge(bundle).cells if cell.solution == seen]
        if not fates or set(fates) != {"passed"}:
            fact = f"{name!r} {', '.join(sorted(set(fates))) or 'was skipped'} in the study itself"
            mend = f"See `roofmark judge {bundle.path}`, mend the study, begin a new loop."
            raise BenchError(problem("RM333", fact, str(bundle.path), mend))
        return bundle

    def _tell_interrupted(self) -> None:
        number = len(self.journal.tries) + 1
        place = self._place(number)
        if (place / "candidate.json").exists():
            self.journal.append(Interrupted(number=number, stage="measuring"))
        elif place.exists():
            self.journal.append(Interrupted(number=number, stage="proposing"))
            shutil.rmtree(place)

    # --- a candidate -----------------------------------------------------------------------------
    def _candidate(self, number: int) -> Candidate | None:
        """Return the candidate of a try, asked for if need be; None when the proposer stops."""
        path = self._place(number) / "candidate.json"
        if not path.exists():
            candidate = self._ask(number)
            if candidate.note.stop:
                return None
            put(path, encode_pretty(candidate))
        return self._stored(number)

    def _stored(self, number: int) -> Candidate:
        path = self._place(number) / "candidate.json"
        return decode(path.read_bytes(), Candidate, where=path)

    def _ask(self, number: int) -> Candidate:
        place, began = self._place(number), time.monotonic()
        self._write_brief(number)
        before = self._sources(self.journal.best)
        with open_scratch() as scratch:
            folder = scratch / "study"
            copy_tree(self.folder / "study", folder)
            overlay(folder, before.items())
            seen = snapshot(folder)
            proposal = Proposal(
                number=number,
                folder=folder,
                files=self.files,
                brief=(place / "brief.json").resolve(),
                note=scratch / "note.json",
                log=place / "proposer.log",
            )
            note, failure = self._proposed(proposal)
            after = snapshot(folder)
        refusal = find_refusal(seen, after, self.files)
        if failure is None and refusal:
            failure = ("refused", refusal)
        files = before if failure else {n: _text(after[n]) for n in self.files}
        candidate = Candidate(
            number=number,
            against=self.journal.best,
            files=files,
            diff=diff_of(before, files),
            note=note,
            seconds=round(time.monotonic() - began, 3),
        )
        return candidate if failure is None else replace(candidate, failure=failure)

    def _proposed(self, proposal: Proposal) -> tuple[Note, tuple[Ending, str] | None]:
        try:
            return self.propose(proposal), None
        except ProposalFailed as failed:
            return Note(), (failed.ending, str(failed))
        except Exception as error:  # a proposer is a stranger's code
            return Note(), ("crashed", f"the proposer raised {type(error).__name__}: {error}")

    def _write_brief(self, number: int) -> None:
        best = self.journal.best
        name = self.plan.solution
        bundle = self.start
        if best:
            bundle, name = open_bundle(self._place(best) / "confirmation"), CANDIDATE
        elif name == bundle.study.baseline:
            name = twin_of(name)
        brief = make_brief(
            number,
            self.plan.solution,
            self._sources(best),
            (best, api.judge(bundle), name),
            self.journal.tries,
            margin=self.plan.margin,
        )
        place = self._place(number)
        put(place / "brief.md", render_brief(brief).encode())
        put(place / "brief.json", encode_pretty(brief))

    # --- proof and measurement -------------------------------------------------------------------
    def _evaluate(self, candidate: Candidate) -> Try:
        """Return the try that follows from a candidate, measured as far as it deserves."""
        blank = Try(
            number=candidate.number,
            against=candidate.against,
            ending="undecided",
            reason="",
            note=candidate.note,
            diff=candidate.diff,
            fingerprint=fingerprint(candidate.files),
            binary=_NOT_MEASURED,
            first=_NOT_MEASURED,
            confirmation=_NOT_MEASURED,
            seconds=candidate.seconds,
        )
        if isinstance(candidate.failure, tuple):
            ending, reason = candidate.failure
            return replace(blank, ending=ending, reason=reason, fingerprint="")
        try:
            proved = self._prove(candidate, blank)
            return proved if proved.reason else self._measure(candidate, proved)
        except (StudyError, BuildError) as error:
            return replace(blank, ending="build_failed", reason=str(error))

    def _prove(self, candidate: Candidate, blank: Try) -> Try:
        """Return the try with its binary, and ended where there is nothing new to measure."""
        before = self._sources(candidate.against)
        if fingerprint(before) == blank.fingerprint:
            return replace(blank, ending="no_change", reason="the same program as the incumbent")
        if before_this := self._repeated(blank):
            return replace(blank, ending="refused", reason=before_this)
        environment, name = self.start.environment, self.plan.solution
        binary = build_binary(self.loaded, name, candidate.files, environment)
        proved = replace(blank, binary=binary)
        if isinstance(binary, str):
            if binary == build_binary(self.loaded, name, before, environment):
                reason = "the same machine code as the incumbent"
                return replace(proved, ending="no_change", reason=reason)
            if before_this := self._repeated(proved):
                return replace(proved, ending="refused", reason=before_this)
        return proved

    def _repeated(self, new: Try) -> str:
        """Return which earlier try was this very program: a second chance is one too many."""
        for each in self.journal.tries:
            alike = each.fingerprint == new.fingerprint or (
                isinstance(new.binary, str) and each.binary == new.binary
            )
            if alike and each.ending not in ("refused", "no_change"):
                return f"the same program as try {each.number} ({each.ending})"
        return ""

    def _measure(self, candidate: Candidate, proved: Try) -> Try:
        level = self.loaded.study.protocol.level
        ending, reason, first = self._duel(candidate, "first", level)
        done = replace(proved, first=first, seconds=round(proved.seconds + first.seconds, 3))
        if ending != "won":
            return replace(done, ending=ending, reason=reason)
        used = sum(isinstance(each.confirmation, Measured) for each in self.journal.tries)
        strict = confirmation_level(self.plan.alpha, used)
        ending, reason, again = self._duel(candidate, "confirmation", strict)
        return replace(
            done,
            ending="kept" if ending == "won" else ending,
            reason=reason if ending == "won" else f"not confirmed: {reason}",
            confirmation=again,
            seconds=round(done.seconds + again.seconds, 3),
        )

    def _duel(
        self, candidate: Candidate, what: str, level: float
    ) -> tuple[Ending | Won, str, Measured]:
        """Run the candidate against its incumbent into the try's bundle `what`."""
        place = self._place(candidate.number)
        versions = (self._sources(candidate.against), candidate.files)
        options = dataclasses.replace(self.run_options, confirm=what == "confirmation")
        with open_scratch() as scratch:
            study = write_duel(
                scratch,
                self.loaded,
                self.plan.solution,
                versions,
                margin=self.plan.margin,
                level=level,
            )
            bundle = measure(study, place / what, options, self.say)
        return conclude(bundle, self.loaded.study.protocol.level)

    # --- what is kept ----------------------------------------------------------------------------
    def _promote(self) -> None:
        """Put the last kept candidate in best/ and, if asked, commit it; done twice, done once."""
        best = self.journal.best
        if not best:
            return
        after = self._sources(best)
        overlay(self.folder / "best", after.items())
        if self.options.commit:
            kept = next(each for each in self.journal.tries if each.number == best)
            lost = [t for t in self.journal.tries if kept.against < t.number < best]
            bundle = open_bundle(self._place(best) / "confirmation")
            message = render_message(kept, bundle, api.judge(bundle), lost)
            commit_kept(self.source, self._sources(kept.against), after, message)

    def _sources(self, number: int) -> dict[str, str]:
        """Return the files of a try, of the study itself for 0."""
        if number:
            return self._stored(number).files
        return {name: self.loaded.contents[name].decode() for name in self.files}

    def _place(self, number: int) -> Path:
        return self.folder / "tries" / f"{number:04d}"


def _text(content: str | bytes) -> str:
    return content.decode() if isinstance(content, bytes) else content
