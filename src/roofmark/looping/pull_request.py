"""The body of a pull request: a gain, and everything by which it can be doubted.

In: the folder of a loop with a kept candidate, or a sealed bundle with a faster solution. Out:
Markdown from bundles and journal alone. What comes from outside is escaped.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roofmark import api
from roofmark.analysis.judge import judge_over, judge_whole
from roofmark.analysis.promotion import sought
from roofmark.analysis.verdict import Bound, Cell, Overall, Verdict
from roofmark.bundle import Bundle, open_bundle
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.looping.change import changed_files
from roofmark.looping.duel import CANDIDATE
from roofmark.looping.journal import params_text, read_journal, speedup_text
from roofmark.looping.plan import read_plan
from roofmark.looping.standing import ratios_over_start
from roofmark.looping.tries import LoopPlan, Measured, Try
from roofmark.records import Missing
from roofmark.reports.markdown import escape, facts, fold, table
from roofmark.reports.proof import Fact, proofs, provenance, trust
from roofmark.reports.view import caveats, context
from roofmark.reports.wording import NOTHING, counted, interval, one_line, ratio, seconds
from roofmark.study import twin_of

# Source: the longest body of a pull request that GitHub takes, in characters.
LONGEST = 65_536
# Chosen: rows of a table, tried in this order until the body fits.
_ROWS = (500, 100, 30, 10, 3)


@dataclass(frozen=True)
class _Claim:
    """What is claimed. plan, tries: of the loop; nothing and none for a bundle."""

    path: Path
    bundle: Bundle
    verdict: Verdict
    overall: Overall
    plan: LoopPlan | None
    kept: Try | None
    tries: tuple[Try, ...]

    @property
    def name(self) -> str:
        return self.plan.solution if self.plan else self.overall.solution


def render_pull_request(source: Path, solution: str = "") -> str:
    """Return the body. solution: of a bundle with several.

    Raises: BundleError RM454 when nothing was kept or is faster, RM404 when the journal names
    another bundle, and those of opening one.
    """
    claim = _of_loop(source) if (source / "loop.json").is_file() else _of_bundle(source, solution)
    bodies = (_render(claim, rows) for rows in _ROWS)
    shortest = ""
    for shortest in bodies:
        if len(shortest) <= LONGEST:
            return shortest
    cut = "\n\nCut here: GitHub takes no more.\n"
    return shortest[: LONGEST - len(cut)] + cut


def _of_loop(folder: Path) -> _Claim:
    plan, entries = read_plan(folder), read_journal(folder)
    tries = tuple(each for each in entries if isinstance(each, Try))
    kept = [each for each in tries if each.ending == "kept"]
    if not kept:
        raise _none(f"none of {len(tries)} tries was kept", folder)
    last = kept[-1]
    path = folder / "tries" / f"{last.number:04d}" / "confirmation"
    bundle = open_bundle(path)
    if not isinstance(last.confirmation, Measured) or last.confirmation.bundle != bundle.digest:
        mend = "Take the loop's folder from its source again."
        fact = f"the journal's try {last.number} cites another bundle than the one that is there"
        raise BundleError(problem("RM404", fact, str(path), mend))
    judged = judge_whole(bundle)
    overall = _faster(judge_over(judged, sought(bundle.study)), CANDIDATE, path)
    return _Claim(path, bundle, judged.verdict, overall, plan, last, tries)


def _of_bundle(path: Path, solution: str) -> _Claim:
    bundle = open_bundle(path)
    verdict = api.judge(bundle)
    names = [each.solution for each in verdict.overall if each.role == "solution"]
    if not solution and len(names) != 1:
        mend = "Name one with --solution: " + ", ".join(names)
        raise BundleError(problem("RM454", f"it has {len(names)} solutions", str(path), mend))
    overall = _faster(verdict.overall, solution or names[0], path)
    return _Claim(path, bundle, verdict, overall, None, None, ())


def _faster(overall: Sequence[Overall], name: str, path: Path) -> Overall:
    for each in overall:
        if each.solution == name and each.role == "solution":
            if each.decision == "faster":
                return each
            raise _none(f"{name!r} is {each.decision}", path)
    raise _none(f"there is no solution {name!r}", path)


def _none(fact: str, where: Path) -> BundleError:
    mend = "See `roofmark loop status` or `roofmark judge`, and come back with a gain."
    return BundleError(problem("RM454", fact, str(where), mend))


def _render(claim: _Claim, rows: int) -> str:
    verdict, bundle = claim.verdict, claim.bundle
    parts = [f"## {_headline(claim)}", escape(context(verdict))]
    parts += [f"> [!WARNING]\n> {escape(each)}" for each in caveats(verdict)]
    parts += [_steps(claim), "### Verdict", _cells(claim, rows)]
    parts += ["### What limits it, before and after", _bounds(claim, rows)]
    parts += ["### Can it be believed?", facts([*trust(verdict, bundle), *_budget(claim)])]
    parts += ["### How to reproduce", _commands(claim)]
    parts += [_tried(claim, rows)]
    built = facts([*proofs(bundle), *_changed(claim)])
    parts += [fold("What was built", built)]
    parts += [fold("Where it comes from", facts(provenance(verdict, bundle)))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(claim: _Claim) -> str:
    found, verdict = claim.overall.speedup, claim.verdict
    against = "the incumbent" if claim.kept else verdict.baseline
    span = "" if isinstance(found, Missing) else f" ({interval(found)}, {found.level:.4%} interval)"
    count = sum(claim.overall.counts.values())
    return escape(
        f"{verdict.study}: {claim.name} {ratio(found)}{span} over {against} "
        f"on {counted(count, 'workload')}"
    )


def _steps(claim: _Claim) -> str:
    """Say how far the branch is from where the loop began, if that took several steps."""
    kept = [each for each in claim.tries if each.ending == "kept"]
    if claim.kept is None or len(kept) < 2:
        return ""
    total = ratios_over_start(claim.tries)[claim.kept.number]
    listed = [[str(t.number), _what(t), speedup_text(t.confirmation)] for t in kept]
    said = f"{len(kept)} steps were kept; the product of their confirmations is {total:.3g}x, a "
    said += "point estimate without an interval of its own. The rest of this page is of the last."
    return f"{escape(said)}\n\n{table(['try', 'what', 'over its incumbent'], listed)}"


def _what(each: Try) -> str:
    return each.note.hypothesis or params_text(each.params) or f"candidate of try {each.number}"


def _own(claim: _Claim, name: str) -> dict[str, Cell]:
    return {cell.workload: cell for cell in claim.verdict.cells if cell.solution == name}


def _cells(claim: _Claim, rows: int) -> str:
    held_out = {each.id for each in claim.bundle.study.workloads if each.held_out}
    found = [
        [name + (" (held out)" if name in held_out else ""), cell.decision,
         seconds(cell.baseline_time), seconds(cell.time), ratio(cell.speedup),
         interval(cell.speedup)]
        for name, cell in _own(claim, claim.overall.solution).items()
    ]  # fmt: skip
    head = ["workload", "verdict", "before", "after", "speed-up", "interval"]
    return _cut(head, found, rows)


def _bounds(claim: _Claim, rows: int) -> str:
    before = _own(claim, twin_of(claim.verdict.baseline))
    found = [
        [name, _bound(before.get(name)), _bound(cell)]
        for name, cell in _own(claim, claim.overall.solution).items()
    ]
    return _cut(["workload", "before", "after"], found, rows)


def _bound(cell: Cell | None) -> str:
    if cell is None or not isinstance(cell.bound, Bound):
        return (
            f"{NOTHING} {cell.bound.reason}"
            if cell and isinstance(cell.bound, Missing)
            else NOTHING
        )
    room = cell.bound.headroom
    left = "" if isinstance(room, Missing) else f", {room:.2f}x to that roof"
    return f"{cell.bound.kind}{left}"


def _cut(head: list[str], found: list[list[str]], rows: int) -> str:
    more = len(found) - rows
    text = table(head, found[:rows])
    return f"{text}\n\n{more} more rows stand in the bundle." if more > 0 else text


def _budget(claim: _Claim) -> list[Fact]:
    held_out = sum(each.held_out for each in claim.bundle.study.workloads)
    said = f"fresh processes, fresh values, {counted(held_out, 'held-out workload')}"
    if not claim.bundle.run.confirmation:
        said = "none was made"
    found = [Fact("Confirmation", said)]
    if claim.plan is not None and claim.kept is not None:
        used = sum(isinstance(t.confirmation, Measured) for t in claim.tries)
        spent = f"alpha {claim.plan.alpha:g} over the whole loop: {len(claim.tries)} tries, "
        spent += f"{counted(used, 'confirmation')}; "
        spent += f"this one was judged at level {claim.verdict.level:.6g}"
        found.append(Fact("Error budget", spent))
    return found


def _commands(claim: _Claim) -> str:
    """Return commands as an indented block, in which nothing is rendered."""
    path = shlex.quote(one_line(os.path.relpath(claim.path)))
    again = shlex.quote(f"{one_line(claim.bundle.name)}-again")
    lines = [
        f"roofmark verify {path}",
        f"roofmark judge {path}",
        f"roofmark rerun {path} -o {again}",
    ]
    return "\n".join(f"    {line}" for line in lines)


def _tried(claim: _Claim, rows: int) -> str:
    lost = [each for each in claim.tries if each.ending != "kept"]
    if claim.kept is None:
        return ""
    found = [
        [str(t.number), t.ending, _what(t), speedup_text(t.confirmation) or speedup_text(t.first),
         t.reason]
        for t in lost
    ]  # fmt: skip
    text = _cut(["try", "ending", "what", "speed-up", "why"], found, rows) if lost else "Nothing."
    return fold(f"Tried and rejected: {len(lost)} of {len(claim.tries)}", text)


def _changed(claim: _Claim) -> list[Fact]:
    if claim.kept is None:
        return []
    runs = (("first run", claim.kept.first), ("confirmation", claim.kept.confirmation))
    cited = [f"{what} {run.bundle}" for what, run in runs if isinstance(run, Measured)]
    return [
        Fact("Hypothesis", _what(claim.kept)),
        Fact("Changed", ", ".join(changed_files(claim.kept.diff)) or "nothing"),
        Fact("Bundles", ", ".join(cited)),
    ]
