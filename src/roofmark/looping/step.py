"""One try of a loop, for whoever brings a candidate at a time: a coding agent, a person.

In: a study, a solution, a candidate, the loop's folder. Out: what became of it. It is a try like
any other: in the journal, and confirmed at its share of the loop's error budget, so a hundred
candidates in a hundred calls are judged as a hundred candidates of one loop.
"""

import sys
from dataclasses import replace
from pathlib import Path

from roofmark import api
from roofmark.analysis.verdict import Estimate
from roofmark.bundle import open_bundle
from roofmark.codes import problem
from roofmark.errors import StudyError
from roofmark.loading import LoadedStudy, load_study
from roofmark.looping.brief import RULES, Place, places_of
from roofmark.looping.duel import CANDIDATE, Say
from roofmark.looping.journal import Journal
from roofmark.looping.loop import loop
from roofmark.looping.plan import read_plan
from roofmark.looping.proposers import Proposal, lay_over
from roofmark.looping.state import open_state
from roofmark.looping.tries import Ending, Measured, Note, Try
from roofmark.options import LoopOptions
from roofmark.records import Missing, Record
from roofmark.study import Definition, Protocol, Solution, Workload

# The last rule tells of the file for a note; here the note comes with the candidate.
STEP_RULES = RULES[:-1]


class Evaluated(Record):
    """What became of one candidate.

    finished_first: numbers of tries that an earlier call left unfinished. against: the try that was
    the incumbent, 0 for the study's own. run: the last bundle, in the loop's folder. speedup: over
    the incumbent, of that bundle. places: where the candidate stands on each workload.
    """

    loop: str
    number: int
    finished_first: tuple[int, ...]
    against: int
    ending: Ending
    reason: str
    speedup: Estimate | Missing
    run: str | Missing
    bundle: str | Missing
    places: tuple[Place, ...]


class Described(Record):
    """A study, as whoever writes a candidate needs it.

    sources: path -> text of the files that may change, as the incumbent has them; of the solution
    that was asked for. incumbent: number of the last kept try, 0 for the study's own.
    """

    study: str
    title: str
    definition: Definition
    workloads: tuple[Workload, ...]
    solutions: tuple[Solution, ...]
    baseline: str
    wrong: tuple[str, ...]
    protocol: Protocol
    rules: tuple[str, ...]
    incumbent: int
    params: tuple[str, ...]
    sources: dict[str, str]


def try_candidate(
    study: str | Path,
    solution: str,
    candidate: tuple[Path | None, Note],
    output: str | Path,
    *,
    options: LoopOptions | None = None,
    progress: Say | None = None,
) -> Evaluated:
    """Evaluate one candidate against the loop's incumbent; return what became of it.

    candidate: a file (in place of the solution's first), or a folder of files to lay over the
    study's, or nothing where only the note's params differ. output: the loop's folder, new or old.
    Raises: as `loop`; StudyError RM130 when there is no candidate.
    """
    source, note = candidate
    if (source is None and not note.params) or (source is not None and not source.exists()):
        mend = "Name a file or a folder, or give --param NAME=VALUE."
        raise StudyError(problem("RM130", f"no candidate in {source}", "CANDIDATE", mend))
    mine: list[int] = []

    def propose(proposal: Proposal) -> Note:
        if mine:
            return Note(stop=True)
        mine.append(proposal.number)
        if source is not None:
            lay_over(source, proposal)
        return note

    # The proposer ends the loop, not a count: a try that was cut short may have to end first.
    bounds = replace(options or LoopOptions(), iterations=sys.maxsize)
    before = len(Journal(Path(output)).tries)
    tries = loop(study, solution, propose, output, options=bounds, progress=progress)
    own = next(each for each in tries if each.number == mine[0])
    return _told(Path(output), own, tuple(range(before + 1, own.number)))


def _told(folder: Path, own: Try, finished_first: tuple[int, ...]) -> Evaluated:
    runs = [("confirmation", own.confirmation), ("first", own.first)]
    made = [(what, run) for what, run in runs if isinstance(run, Measured)]
    missing = Missing(reason=f"not measured: {own.ending}")
    speedup, run, digest, places = missing, missing, missing, ()
    if made:
        what, measured = made[0]
        run, speedup, digest = f"tries/{own.number:04d}/{what}", measured.speedup, measured.bundle
        places = places_of(api.judge(open_bundle(folder / run)), CANDIDATE)
    return Evaluated(
        loop=str(folder),
        number=own.number,
        finished_first=finished_first,
        against=own.against,
        ending=own.ending,
        reason=own.reason,
        speedup=speedup,
        run=run,
        bundle=digest,
        places=places,
    )


def describe_study(study: str | Path, solution: str = "", folder: Path | None = None) -> Described:
    """Return a study as data, with the incumbent's sources of one solution.

    folder: of a loop, which may not have begun. Raises: StudyError as of loading, RM130.
    """
    begun = folder if folder is not None and (folder / "loop.json").is_file() else None
    loaded = load_study(begun / "study" / read_plan(begun).file if begun else study)
    asked = loaded.study
    best, params, sources = _incumbent(loaded, solution, begun) if solution else (0, (), {})
    return Described(
        study=asked.definition.name,
        title=asked.title,
        definition=asked.definition,
        workloads=asked.workloads,
        solutions=asked.solutions,
        baseline=asked.baseline,
        wrong=tuple(each.name for each in asked.wrong),
        protocol=asked.protocol,
        rules=STEP_RULES,
        incumbent=best,
        params=params,
        sources=sources,
    )


def _incumbent(
    loaded: LoadedStudy, solution: str, begun: Path | None
) -> tuple[int, tuple[str, ...], dict[str, str]]:
    from roofmark.looping.change import changeable_files
    from roofmark.narrowing import no_match

    names = [each.name for each in loaded.study.solutions]
    if solution not in names:
        raise no_match("solution", [solution], names)
    if begun is None:
        files = changeable_files(loaded, solution)
        texts = {name: loaded.contents[name].decode() for name in files}
        return 0, tuple(loaded.study.solution(solution).params), texts
    state = open_state(begun, loaded, read_plan(begun))
    best = state.journal.best
    return best, state.params, state.version(best).files
