"""The loop itself: proposal, proof, first run, confirmation, journal, and again.

In: a study, a solution's name, a proposer, a folder. Out: that folder, which holds

    loop.json  study/        what was asked, and the loop's own copy of the study's folder
    start/                   bundle of the study's own solution: what there is to beat
    tries/0001/              brief.json, brief.md, proposer.log, candidate.json, bundles first/ and
                             confirmation/
    journal.jsonl ledger.md  one line for each try
    best/                    the files of the last kept candidate
    progress.svg .html       best ratio against device seconds, drawn when a session ends

Each step leaves its result by one rename, and a step whose result is there is not done again, so a
loop that was killed anywhere goes on when it is started again.
"""

import os
import shutil
import time
from pathlib import Path

from roofmark import api
from roofmark.bundle import Bundle
from roofmark.bundle_lock import lock_folder
from roofmark.codes import problem
from roofmark.errors import BenchError
from roofmark.evidence import Trace
from roofmark.looping.ask import find_candidate
from roofmark.looping.budget import spent_budget
from roofmark.looping.chart import write_charts
from roofmark.looping.commit import check_work_tree
from roofmark.looping.duel import Say, measure
from roofmark.looping.evaluate import evaluate
from roofmark.looping.machine import check_machine
from roofmark.looping.plan import open_plan
from roofmark.looping.promote import promote
from roofmark.looping.proposers import Proposer
from roofmark.looping.state import open_state
from roofmark.looping.tries import Interrupted, Try
from roofmark.options import LoopOptions, RunOptions
from roofmark.study import Device, Study, twin_of


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


def _none_open(study: Study, device: Device, traces: list[Trace]) -> set[str]:
    return set()


class _Loop:
    """One session of a loop."""

    def __init__(
        self, source: Path, solution: str, propose: Proposer, folder: Path, options: LoopOptions
    ) -> None:
        self.options, self.propose = options, propose
        self.source = source.resolve() if source.is_dir() else source.resolve().parent
        loaded, plan = open_plan(source, self.source, solution, folder, options)
        self.state = open_state(folder, loaded, plan, fleet=options.fleet)

    def run(self, say: Say | None) -> list[Try]:
        """Go on until there is nothing left to do."""
        state, work_tree = self.state, self.source if self.options.commit else None
        if work_tree:
            check_work_tree(work_tree)
        start, began = self._measure_start(say), time.monotonic()
        check_machine(state, start)
        self._tell_interrupted()
        promote(state, work_tree)
        while not spent_budget(self.options, state.journal, start, time.monotonic() - began):
            number = len(state.journal.tries) + 1
            candidate = find_candidate(state, start, self.propose, number)
            if candidate is None:
                shutil.rmtree(state.place(number))
                break
            state.journal.append(evaluate(state, start, candidate, say))
            promote(state, work_tree)
        write_charts(state.folder)
        return state.journal.tries

    def _measure_start(self, say: Say | None) -> Bundle:
        """Measure the study's own solution. Raises: BenchError RM333 when it does not pass."""
        folder, plan = self.state.folder, self.state.plan
        name = plan.solution
        options = RunOptions(
            device=self.options.device,
            solutions=(name,),
            workloads=plan.workloads,
            fleet=self.options.fleet,
        )
        # What there is to beat needs a time, not a decision: the fewest process sets do.
        until = api.Until(undecided=_none_open)
        bundle = measure(folder / "study" / plan.file, folder / "start", options, say, until)
        seen = name if name != bundle.study.baseline else twin_of(name)
        fates = [cell.outcome for cell in api.judge(bundle).cells if cell.solution == seen]
        if not fates or set(fates) != {"passed"}:
            fact = f"{name!r} {', '.join(sorted(set(fates))) or 'was skipped'} in the study itself"
            mend = f"See `roofmark judge {bundle.path}`, mend the study, begin a new loop."
            raise BenchError(problem("RM333", fact, str(bundle.path), mend))
        return bundle

    def _tell_interrupted(self) -> None:
        journal = self.state.journal
        number = len(journal.tries) + 1
        place = self.state.place(number)
        if (place / "candidate.json").exists():
            journal.append(Interrupted(number=number, stage="measuring"))
        elif place.exists():
            journal.append(Interrupted(number=number, stage="proposing"))
            shutil.rmtree(place)
