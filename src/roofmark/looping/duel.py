"""The duel: a candidate against the incumbent, on the study's own workloads and protocol.

In: a loaded study and two versions of one solution's files. Out: a study of those two, a sealed
bundle (a finished one is opened, an interrupted one resumed), and what follows from it. Contenders
are laid out and measured here for gates between two revisions as well.

A first run chooses, at the study's own level. A confirmation measures again from nothing, with
held-out workloads, at level 1 - alpha / (j (j + 1)) for the j-th confirmation of the loop. Its
samples are independent of the choice, and sum over j of alpha / (j (j + 1)) = alpha, so the chance
that a loop of any length keeps anything without a gain is at most alpha.
Source: the union bound; 1/(j (j + 1)) = 1/j - 1/(j + 1) telescopes to 1.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import UNSET
from msgspec.structs import replace

from roofmark import api
from roofmark.analysis.judge import judge_traces
from roofmark.analysis.verdict import Cell, Overall, Verdict
from roofmark.bundle import MANIFEST, Bundle, open_bundle
from roofmark.evidence import BuildFailed, Crashed, Incorrect, Passed, TimedOut
from roofmark.loading import LoadedStudy
from roofmark.looping.files import put
from roofmark.looping.tries import Ending, Measured
from roofmark.options import Progress, RunOptions
from roofmark.records import Missing, encode_pretty
from roofmark.study import Solution, Study

INCUMBENT, CANDIDATE = "incumbent", "candidate"
_FATES: tuple[Ending, ...] = ("incorrect", "build_failed", "crashed", "timed_out")

Say = Callable[[Progress], None]
Won = Literal["won"]


def confirmation_level(alpha: float, confirmations: int) -> float:
    """Return the level of the next confirmation, after so many earlier ones."""
    j = confirmations + 1
    return 1 - alpha / (j * (j + 1))


def write_duel(
    folder: Path,
    loaded: LoadedStudy,
    solution: str,
    versions: tuple[Mapping[str, str], Mapping[str, str]],
    *,
    margin: float,
    level: float,
) -> Path:
    """Write a study of (incumbent, candidate) with its sources into `folder`; return its file."""
    own = loaded.study.solution(solution)
    contenders = [
        Contender(name, own, {path: _version(loaded, files, path) for path in own.files})
        for name, files in zip((INCUMBENT, CANDIDATE), versions, strict=True)
    ]
    study = replace(
        loaded.study,
        baseline=INCUMBENT,
        contrasts=(),
        protocol=replace(loaded.study.protocol, margin=margin, level=level),
    )
    return lay_out(folder, study, loaded.contents, contenders)


def _version(loaded: LoadedStudy, files: Mapping[str, str], path: str) -> bytes:
    text = files.get(path)
    return loaded.contents[path] if text is None else text.encode()


@dataclass(frozen=True)
class Contender:
    """A solution of some version, under the name it competes with; its files in a folder of theirs.

    home: that folder, shared by contenders with the same files; the name's own if "".
    """

    name: str
    solution: Solution
    files: Mapping[str, bytes]
    home: str = ""


def lay_out(
    folder: Path, study: Study, contents: Mapping[str, bytes], contenders: Iterable[Contender]
) -> Path:
    """Write a study whose solutions are these contenders; return its file.

    contents: references and negative controls, by the study's own paths.
    """
    solutions: list[Solution] = []
    for path, data in contents.items():
        put(folder / path, data)
    for each in contenders:
        home = each.home or each.name
        for path, data in each.files.items():
            put(folder / home / path, data)
        solutions.append(_moved(each.solution, each.name, home))
    study = replace(study, solutions=tuple(solutions), files={})
    put(folder / "study.json", encode_pretty(study))
    return folder / "study.json"


def _moved(solution: Solution, name: str, home: str) -> Solution:
    """Return the solution with its files in a folder of its own; nobody is waited for."""
    prepare = solution.prepare
    return replace(
        solution,
        name=name,
        entry=f"{home}/{solution.entry}",
        sources=tuple(f"{home}/{path}" for path in solution.sources),
        prepare=f"{home}/{prepare}" if isinstance(prepare, str) else UNSET,
        after=UNSET,
    )


def measure(
    study: Path,
    output: Path,
    options: RunOptions,
    say: Say | None,
    undecided: api.Undecided | None = None,
) -> Bundle:
    """Return the bundle in `output`: as it is, resumed, or run now; nothing is measured twice."""
    if (output / MANIFEST).exists():
        return open_bundle(output)
    if (output / "study.json").exists():
        return api.resume(output, progress=say, undecided=undecided)
    return api.run(study, output, options=options, progress=say, undecided=undecided)


def judge_at(bundle: Bundle, level: float) -> Verdict:
    """Return the verdict of a bundle at another level than its study's."""
    study: Study = bundle.study
    traces = list(bundle.traces())
    wanted = {t.outcome.build for t in traces if isinstance(t.outcome, Passed)}
    return judge_traces(
        replace(study, protocol=replace(study.protocol, level=level)),
        bundle.environment,
        bundle.run,
        traces,
        {name: bundle.build(name) for name in sorted(wanted)},
        digest=bundle.digest,
    )


def conclude(bundle: Bundle, level: float) -> tuple[Ending | Won, str, Measured]:
    """Return what became of the candidate, why, and the measured record.

    level: of the study; a workload that is slower at this level loses, whatever the level of the
    bundle's own verdict.
    """
    verdict = api.judge(bundle)
    overall = next((o for o in verdict.overall if o.solution == CANDIDATE), None)
    cells = [c for c in judge_at(bundle, level).cells if c.solution == CANDIDATE]
    missing = Missing(reason="not measured")
    sessions = [s.seconds for s in bundle.run.sessions if isinstance(s.seconds, float)]
    measured = Measured(
        bundle=bundle.digest,
        decision=overall.decision if overall else "undecided",
        speedup=overall.speedup if overall else missing,
        level=verdict.level,
        workloads=len(cells),
        codes=overall.codes if overall else (),
        seconds=round(sum(sessions), 3),
    )
    ending, reason = _ending(bundle, verdict, cells, overall)
    return ending, reason, measured


def _ending(
    bundle: Bundle, verdict: Verdict, cells: list[Cell], overall: Overall | None
) -> tuple[Ending | Won, str]:
    for fate in _FATES:
        fallen = [cell.workload for cell in cells if cell.outcome == fate]
        if fallen:
            return fate, _told(bundle, fallen)
    if overall is None:
        return "undecided", "it was not measured"
    if overall.decision == "invalid":
        own = [f for f in verdict.findings if f.moves == "invalid" and f.state == "fires"]
        guilty = any(f.solution == CANDIDATE for f in own)
        said = "; ".join(f"{f.code} {f.message}" for f in own)
        return ("refused" if guilty else "undecided"), said
    slower = [cell.workload for cell in cells if cell.decision == "slower"]
    if overall.decision == "slower" or slower:
        return "slower", f"slower on {', '.join(slower)}" if slower else "slower overall"
    if overall.decision == "faster":
        return "won", f"faster by more than {verdict.margin:.2%} at level {verdict.level:.6g}"
    if overall.decision == "same":
        return "same", f"within {verdict.margin:.2%} at level {verdict.level:.6g}"
    moved = f", moved by {', '.join(overall.codes)}" if overall.codes else ""
    return "undecided", f"undecided at level {verdict.level:.6g}{moved}"


def _told(bundle: Bundle, workloads: list[str]) -> str:
    """Return the first reason that the candidate's traces give, and where."""
    for trace in bundle.traces():
        if trace.solution == CANDIDATE and trace.workload in workloads:
            if isinstance(trace.outcome, Incorrect | BuildFailed | Crashed):
                return f"{trace.workload}: {trace.outcome.reason}"
            if isinstance(trace.outcome, TimedOut):
                return f"{trace.workload}: no answer within {trace.outcome.limit:g} s"
    return ", ".join(workloads)
