"""Comparing: two or more sides, each one or several bundles, or each a file of another tool.

In: paths. Out: `Compared` or `ForeignCompared` of the first side with each other one, or the
`Replication`s of the first bundle (`ForeignReplication`s of the first run's files) by the others.
Bundles are judged and foreign files imported; like `citing`, this stands above both.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import structs

from roofmark.analysis.between import Compared, compare_sides
from roofmark.analysis.foreign_pairs import MARGIN, ForeignCompared, compare_foreign
from roofmark.analysis.foreign_replicate import ForeignReplication, leg_name, replicate_foreign
from roofmark.analysis.replicate import replicate
from roofmark.analysis.summaries import RunSummary, summarise_bundle
from roofmark.analysis.verdict import Replication
from roofmark.api import judge
from roofmark.bundle import open_bundle
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.foreign import Imported
from roofmark.terminal_text import file_name

Side = Sequence[Path]


def compare_bundles(
    sides: Sequence[Side], *, solution: str | None = None, margin: float | None = None
) -> tuple[Compared, ...]:
    """Compare the first side with each other one; every side holds bundles.

    Raises: BundleError for a damaged bundle, StudyError RM130 for a solution that a bundle does not
        hold, BundleError RM425 for a bundle that is named twice.
    """
    runs = [[summarise_bundle(open_bundle(path)) for path in side] for side in sides]
    _check_once(runs, sides)
    if solution is not None:
        _check_solution(runs, sides, solution)
    return tuple(
        compare_sides(runs[0], other, solution=solution, margin=margin) for other in runs[1:]
    )


def replicate_bundles(sides: Sequence[Side]) -> tuple[Replication, ...]:
    """Say of every bundle after the first whether it says what the first one said.

    Raises: BundleError for a damaged bundle.
    """
    first, *others = (open_bundle(path) for side in sides for path in side)
    verdict = judge(first)
    return tuple(
        replicate(
            verdict,
            judge(each),
            first.environment,
            each.environment,
            studies=(first.study, each.study),
        )
        for each in others
    )


def compare_files(
    sides: Sequence[Side], *, margin: float | None = None
) -> tuple[ForeignCompared, ...]:
    """Compare the first foreign file with each other one, or the runs inside a single file.

    Raises: ImportFailed RM415 to RM419, BundleError RM425 for files that hold different things.
    """
    from roofmark.importers import read_foreign

    paths = [path for side in sides for path in side]
    first, *others = (read_foreign(path) for path in paths)
    return tuple(
        structs.replace(
            compare_foreign(first, each, margin=margin), a=_name(paths[0]), b=_name(path)
        )
        for each, path in zip(others or [first], paths[1:] or paths, strict=True)
    )


def replicate_files(
    sides: Sequence[Side], *, margin: float | None = None, steps: Sequence[str] = ()
) -> tuple[ForeignReplication, ...]:
    """Say of every run after the first whether its legs fall as those of the first one.

    A side is a run, each of its files a leg. Legs are told by the name in the file, then by their
    folder, and by their place where neither tells. steps: "LEG=14*Decode+2*Beta".
    Raises: ImportFailed RM415 to RM419, BundleError RM425, ValueError for a wrong formula.
    """
    from roofmark.importers import read_foreign

    runs = [[read_foreign(path) for path in side] for side in sides]
    names = [_leg_names(run, side) for run, side in zip(runs, sides, strict=True)]
    if any(set(each) != set(names[0]) for each in names) and len(set(map(len, names))) == 1:
        names = [names[0]] * len(names)
    formulas = dict(_formula(each) for each in steps)
    if strange := [name for name in formulas if name not in names[0]]:
        raise ValueError(f"there is no leg {strange[0]!r}; legs are {', '.join(names[0])}")
    first, *others = (list(zip(n, run, strict=True)) for n, run in zip(names, runs, strict=True))
    return tuple(
        replicate_foreign(first, each, margin=MARGIN if margin is None else margin, steps=formulas)
        for each in others
    )


def _leg_names(run: Sequence[Imported], side: Side) -> list[str]:
    """Return a name for each leg; one that two legs bear tells neither."""
    ways = (
        [leg_name(file) for file in run],
        [file_name(path.absolute().parent.name) for path in side],
        [file_name(path.stem) for path in side],
    )
    told = (names for names in ways if all(names) and len(set(names)) == len(names))
    return next(told, [f"leg {number}" for number in range(1, len(run) + 1)])


def _formula(text: str) -> tuple[str, str]:
    name, mark, formula = text.partition("=")
    if not (name and mark and formula):
        raise ValueError(f"{text!r} is not LEG=FORMULA")
    return name, formula


def _name(path: Path) -> str:
    """Tell a file from its like in another folder."""
    return file_name("/".join(path.absolute().parts[-2:]))


def _check_once(runs: Sequence[Sequence[RunSummary]], sides: Sequence[Side]) -> None:
    seen: set[str] = set()
    for run, path in zip((r for s in runs for r in s), (p for s in sides for p in s), strict=True):
        if run.bundle in seen:
            fact = f"bundle {run.bundle[:12]} is named twice"
            mend = "Name each run once; a copy of a run is no second run."
            raise BundleError(problem("RM425", fact, str(path), mend))
        seen.add(run.bundle)


def _check_solution(
    runs: Sequence[Sequence[RunSummary]], sides: Sequence[Side], solution: str
) -> None:
    for run, path in zip((r for s in runs for r in s), (p for s in sides for p in s), strict=True):
        if solution not in run.solutions:
            raise unknown_solution(solution, run.solutions, path)


def unknown_solution(solution: str, known: Iterable[str], path: Path) -> StudyError:
    """Return the error for a solution that a bundle does not hold."""
    fact = f"there is no solution {solution!r}"
    return StudyError(problem("RM130", fact, str(path), f"Name one of: {', '.join(known)}."))
