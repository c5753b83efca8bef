"""The duel: a candidate against the incumbent, on the study's own workloads and protocol.

In: a loaded study and two versions of one solution's files. Out: a study of those two, a sealed
bundle (a finished one is opened, an interrupted one resumed), and what follows from it. Contenders
are laid out and measured here for gates between two revisions as well.

A first run chooses, at the study's own level. A confirmation measures again from nothing, with
held-out workloads, and its samples are independent of the choice. The j-th confirmation of the loop
has alpha / (j (j + 1)) of its own, and inherits all that the one before it had if that was kept:
a true gain takes nothing from those to come. So the chance that a loop of any length keeps
anything without a gain is at most alpha.
Source: Tian, Ramdas, "Online control of the familywise error rate", Stat. Methods Med. Res. 30
(2021), online fallback; 1/(j (j + 1)) = 1/j - 1/(j + 1) telescopes to 1.

Both stop as soon as it is known whether the candidate wins, or that it cannot
(analysis/promotion.py).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import UNSET
from msgspec.structs import replace

from roofmark import api
from roofmark.analysis.judge import judge_over, judge_whole
from roofmark.analysis.promotion import (
    Noise,
    Promotion,
    find_hopeless,
    judge_promotions,
    open_workloads,
    sought,
)
from roofmark.analysis.stats import sig
from roofmark.analysis.verdict import Finding, Overall, Verdict
from roofmark.bundle import MANIFEST, Bundle, open_bundle
from roofmark.bundle_files import read_plain
from roofmark.evidence import BuildFailed, Crashed, Incorrect, Run, TimedOut
from roofmark.loading import LoadedStudy
from roofmark.looping.files import put
from roofmark.looping.state import seconds_of
from roofmark.looping.tries import Ending, Measured, Version
from roofmark.options import Progress, RunOptions
from roofmark.records import Missing, decode, encode_pretty
from roofmark.study import Solution, Study

INCUMBENT, CANDIDATE = "incumbent", "candidate"
# What no slip of the pen does: a clock that lies, functions of others replaced, the device or the
# memory of others changed, a result of another call handed out.
_CHEATS = frozenset(("RM508", "RM510", "RM511", "RM512", "RM514"))
_FATES: tuple[Ending, ...] = ("incorrect", "build_failed", "crashed", "timed_out")

Say = Callable[[Progress], None]
Won = Literal["won"]


def confirmation_level(alpha: float, confirmed: Sequence[bool]) -> float:
    """Return the level of the next confirmation. confirmed: whether each earlier one kept."""
    share = 1 / 2
    for j, kept in enumerate(confirmed, 2):
        share = (share if kept else 0.0) + 1 / (j * (j + 1))
    return 1 - alpha * share


def write_duel(
    folder: Path,
    loaded: LoadedStudy,
    solution: str,
    versions: tuple[Version, Version],
    *,
    margin: float,
    level: float,
) -> Path:
    """Write a study of (incumbent, candidate) with its sources into `folder`; return its file."""
    own = loaded.study.solution(solution)
    contenders = [
        Contender(
            name,
            replace(own, params=version.params),
            {path: _version(loaded, version.files, path) for path in own.files},
        )
        for name, version in zip((INCUMBENT, CANDIDATE), versions, strict=True)
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
    study: Path, output: Path, options: RunOptions, say: Say | None, until: api.Until | None = None
) -> Bundle:
    """Return the bundle in `output`: as it is, resumed, or run now; nothing is measured twice."""
    if (output / MANIFEST).exists():
        return open_bundle(output)
    if (output / "study.json").exists():
        # A fleet may be elsewhere by now; what one machine began, one machine goes on with.
        begun = decode(read_plain(output / "run.json"), Run, where=output / "run.json")
        fleet = options.fleet if begun.fleet else ""
        return api.resume(output, fleet=fleet, progress=say, until=until)
    return api.run(study, output, options=options, progress=say, until=until)


def until_known(group_margin: float, earlier: Noise) -> api.Until:
    """Return when a duel stops: once it is known whether the candidate wins, or that it cannot.

    earlier: what the loop's runs so far showed of the noise.
    """
    return api.Until(
        undecided=partial(open_workloads, group_margin=group_margin),
        hopeless=partial(find_hopeless, group_margin=group_margin, earlier=earlier),
    )


def conclude(
    bundle: Bundle, level: float, group_margin: float, earlier: Noise
) -> tuple[Ending | Won, str, Measured]:
    """Return what became of the candidate, why, and the measured record.

    level: of the study; a group of workloads that is slower at this level loses, whatever the level
    of the bundle's own verdict. earlier: as the run was told.
    """
    judged = judge_whole(bundle)
    verdict = judged.verdict
    overall = _own(judge_over(judged, sought(bundle.study)))
    standing = _standing(bundle, level, group_margin, earlier)
    missing = Missing(reason="not measured")
    measured = Measured(
        bundle=bundle.digest,
        decision=overall.decision if overall else "undecided",
        speedup=overall.speedup if overall else missing,
        ratio=missing if standing is None or standing.ratio is None else sig(standing.ratio),
        level=verdict.level,
        processes=verdict.processes,
        workloads=sum(cell.solution == CANDIDATE for cell in verdict.cells),
        codes=overall.codes if overall else (),
        seconds=round(seconds_of(bundle), 3),
        noise=UNSET if standing is None else standing.noise,
    )
    fallen = _fallen(bundle, verdict)
    if fallen:
        return fallen[0], fallen[1], measured
    if standing is None or overall is None:
        return "undecided", "it was not measured", measured
    ending, reason = _decided(verdict, overall, standing)
    return ending, reason, measured


def _standing(
    bundle: Bundle, level: float, group_margin: float, earlier: Noise
) -> Promotion | None:
    study = replace(bundle.study, protocol=replace(bundle.study.protocol, level=level))
    device, traces = bundle.run.device, bundle.traces()
    found = judge_promotions(study, device, traces, group_margin=group_margin, earlier=earlier)
    return found.get(CANDIDATE)


def _own(overall: Iterable[Overall]) -> Overall | None:
    return next((each for each in overall if each.solution == CANDIDATE), None)


def _fallen(bundle: Bundle, verdict: Verdict) -> tuple[Ending, str] | None:
    """Return what became of a candidate that has no speed, if it has none."""
    moving = [f for f in verdict.findings if f.moves == "invalid" and f.state == "fires"]
    own = [cell for cell in verdict.cells if cell.solution == CANDIDATE]
    if cheats := [f for f in moving if f.solution == CANDIDATE and f.code in _CHEATS]:
        return "cheated", _cited(cheats)
    for fate in _FATES:
        fallen = [cell.workload for cell in own if cell.outcome == fate]
        if fallen:
            return fate, _told(bundle, fallen)
    overall = _own(verdict.overall)
    if overall is None or overall.decision != "invalid":
        return None
    guilty = any(f.solution == CANDIDATE for f in moving)
    return ("refused" if guilty else "undecided"), _cited(moving)


def _cited(findings: list[Finding]) -> str:
    return "; ".join(f"{f.code} {f.message}" for f in findings)


def _decided(verdict: Verdict, overall: Overall, standing: Promotion) -> tuple[Ending | Won, str]:
    slower = [group.name for group in standing.groups if group.decision == "slower"]
    if overall.decision == "slower" or slower:
        return "slower", f"slower on {', '.join(slower)}" if slower else "slower overall"
    if overall.decision == "faster":
        return "won", f"faster by more than {verdict.margin:.2%} at level {verdict.level:.6g}"
    if overall.decision == "same":
        return "same", f"within {verdict.margin:.2%} at level {verdict.level:.6g}"
    if standing.hopeless:
        return ("slower" if standing.slower else "hopeless"), standing.hopeless
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
