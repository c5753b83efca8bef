"""Drilling: from a verdict to one comparison, to a solution's source and proof of build.

In: a bundle that was opened, with its verdict. Out: values for the pages.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from roofmark.analysis.rules import all_rules, explain
from roofmark.analysis.verdict import Cell, Finding, Verdict
from roofmark.bundle import Bundle
from roofmark.codes import ERRORS, problem
from roofmark.errors import BundleError, StudyError
from roofmark.evidence import Build, Trace
from roofmark.study import Solution, Study

# Chosen: several thousand lines; the bundle's own file has the rest.
_MOST_TEXT = 400_000


@dataclass(frozen=True)
class Text:
    """A source or a log. name: as the study or the bundle has it; lines: its text."""

    name: str
    sha256: str
    lines: tuple[str, ...]
    left_out: int


def cell_of(verdict: Verdict, workload: str, solution: str) -> Cell:
    """Return one comparison. Raises: BundleError RM481."""
    for cell in verdict.cells:
        if (cell.workload, cell.solution) == (workload, solution):
            return cell
    fact = f"there is no comparison of {solution[:100]!r} on {workload[:100]!r}"
    raise BundleError(problem("RM481", fact, verdict.study, "Go back to the bundle."))


def findings_about(verdict: Verdict, cell: Cell) -> list[Finding]:
    """Return what fires about a comparison, its solution, its workload or the whole study."""
    return [
        each
        for each in verdict.findings
        if each.state == "fires"
        and each.solution in ("", cell.solution, verdict.baseline)
        and each.workload in ("", cell.workload)
    ]


def explained(codes: Iterable[str]) -> dict[str, str]:
    """Return what each code means; a plugin's that is not installed here is named as such."""
    return {code: explanation(code) for code in dict.fromkeys(codes) if code}


def explanation(code: str) -> str:
    """Return what a code means. Raises nothing: an unknown one says so."""
    if code in ERRORS:
        return f"{code}: {ERRORS[code].title}\n\n{ERRORS[code].meaning}"
    try:
        return explain(code)
    except StudyError:
        return f"{code[:40]}: no rule of that code is installed here.\n"


def is_code(code: str) -> bool:
    """Return whether a code is one of ours or of a plugin."""
    return code in ERRORS or any(each.code == code for each in all_rules())


def solution_of(study: Study, name: str) -> Solution:
    """Return a solution, its twin or a control. Raises: BundleError RM481."""
    try:
        return study.solution(name)
    except KeyError:
        fact = f"there is no solution {name[:100]!r}"
        known = ", ".join(each.name for each in study.solutions)
        raise BundleError(problem("RM481", fact, study.title, f"There are: {known}.")) from None


def builds_of(bundle: Bundle, traces: Iterable[Trace], name: str) -> dict[str, Build]:
    """Return digest -> proof of every build of a solution that a process loaded."""
    digests = {
        build
        for each in traces
        if each.solution == name and (build := getattr(each.outcome, "build", ""))
    }
    held = bundle.files()
    return {each: bundle.build(each) for each in sorted(digests) if f"builds/{each}.json" in held}


def sources_of(bundle: Bundle, solution: Solution) -> list[Text]:
    """Return the files that a solution was built from, the entry's first."""
    names = {name: bundle.study.files.get(name, "") for name in solution.files}
    held = bundle.files()
    return [
        _text(name, sha256, held[f"sources/{sha256}"])
        for name, sha256 in names.items()
        if f"sources/{sha256}" in held
    ]


def logs_of(bundle: Bundle, name: str) -> list[Text]:
    """Return what compiler, worker and profiler said about a solution."""
    return [
        _text(path, "", data)
        for path, data in sorted(bundle.logs().items())
        if path.split("/")[1] == name
    ]


def _text(name: str, sha256: str, data: bytes) -> Text:
    text = data[:_MOST_TEXT].decode("utf-8", "replace")
    return Text(name, sha256, tuple(text.split("\n")), max(0, len(data) - _MOST_TEXT))
