"""Adopting: a study of ours from what FlashInfer-Trace files hold, as far as they hold it.

In: a definition's file, and files of its workloads and solutions. Out: `Adopted`: the study, the
text of every file that it needs, and notes on what was chosen or left out. Nothing is executed; the
study is checked as if its author had written it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roofmark.adopting.entries import adopt_solutions, reference_text
from roofmark.adopting.question import ask, choose, define, no_counterpart
from roofmark.adopting.text import study_text
from roofmark.foreign import (
    Content,
    ForeignDefinition,
    ForeignSolution,
    ForeignWorkload,
    ForeignWorkloads,
    Partial,
)
from roofmark.importers import read_foreign
from roofmark.records import Missing
from roofmark.reports.markdown import escape
from roofmark.study import Study
from roofmark.validation import check_study


@dataclass(frozen=True)
class Adopted:
    """A study with the text of its files (study.py and README.md too), and the notes in both."""

    study: Study
    files: dict[str, str]
    notes: tuple[str, ...]


def adopt(
    definition: Path, *, workloads: Path | None = None, solutions: Sequence[Path] = ()
) -> Adopted:
    """Return the study that a definition asks, with these workloads and solutions.

    Its own reference is the baseline. Raises: ImportFailed RM415-RM417 for a file that cannot be
    read, RM420 for what no study can say; StudyError for what no study may say.
    """
    notes: list[str] = []
    asked = _read(definition, "flashinfer_definition", notes)[0]
    if not isinstance(asked, ForeignDefinition):
        raise TypeError(f"a definition is read as {type(asked).__name__}")
    kept = choose(asked, _workloads(asked, workloads, notes), notes)
    theirs = [_solution(asked, path, notes) for path in solutions]
    own, files = adopt_solutions(asked, theirs, notes)
    study = Study(
        title=asked.name if isinstance(asked.kind, Missing) else f"{asked.name} ({asked.kind})",
        definition=define(asked, kept, notes),
        workloads=ask(asked, kept, notes),
        solutions=own,
        baseline=own[0].name,
    )
    files["reference.py"] = reference_text(asked)
    check_study(study, contents={path: text.encode() for path, text in files.items()})
    files["study.py"] = study_text(study)
    files["README.md"] = _readme(study, notes)
    return Adopted(study, files, tuple(notes))


def _read(path: Path, format: str, notes: list[str]) -> tuple[Content, ...]:
    """Return what a file holds; tell what it lost."""
    found = read_foreign(path, format=format)
    if isinstance(found.completeness, Partial):
        notes += [f"{path.name}: {reason}" for reason in found.completeness.reasons]
    return found.contents


def _workloads(
    asked: ForeignDefinition, path: Path | None, notes: list[str]
) -> tuple[ForeignWorkload, ...]:
    contents = _read(path, "flashinfer_workload", notes) if path else ()
    found = [each for each in contents if isinstance(each, ForeignWorkloads)]
    named = [each for each in found if each.definition == asked.name]
    if path and not named:
        known = ", ".join(each.definition for each in found)
        raise no_counterpart(
            f"no workload of {asked.name}; it holds those of {known}",
            str(path),
            "Name the file of this definition's workloads.",
        )
    return named[0].workloads if named else ()


def _solution(asked: ForeignDefinition, path: Path, notes: list[str]) -> ForeignSolution:
    found = _read(path, "flashinfer_solution", notes)[0]
    if not isinstance(found, ForeignSolution):
        raise TypeError(f"a solution is read as {type(found).__name__}")
    if found.definition != asked.name:
        fact = f"solution {found.name} solves {found.definition}, not {asked.name}"
        raise no_counterpart(fact, str(path), "Name a solution of this definition.")
    return found


def _readme(study: Study, notes: Sequence[str]) -> str:
    """Return the page that says what to do before the study is run."""
    to_fill = [note for note in notes if note.startswith("TO FILL")]
    rest = [note for note in notes if note not in to_fill]
    return "\n".join(
        [
            f"# {escape(study.title)}",
            "",
            "Made by `roofmark new` from FlashInfer-Trace files. The baseline is the definition's "
            "own reference; where it cannot be captured in a CUDA graph, name another solution as "
            'the baseline, or set `protocol=rm.Protocol(tier="call")`.',
            "",
            "## To fill in study.py",
            "",
            *(f"- {escape(note.removeprefix('TO FILL: '))}" for note in to_fill),
            "",
            "## What else to know",
            "",
            *(f"- {escape(note)}" for note in rest),
            "",
        ]
    )
