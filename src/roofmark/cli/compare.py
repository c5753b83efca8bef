"""`roofmark compare`: two sides of evidence: may they be compared, and which is faster?"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.speak import print_json
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.between import Compared

_CODES = {"reproduced": HOLDS, "not reproduced": FAILS}


def main(
    sides: list[str] = typer.Argument(
        ..., help="Bundles or files of one other tool; A1,A2 are several runs of one side."
    ),
    solution: str | None = typer.Option(None, help="Compare this solution alone."),
    margin: float | None = typer.Option(
        None, min=0.0001, max=0.9, help="Smallest difference that matters; by default A's."
    ),
    replicate: bool = typer.Option(False, help="Ask whether A's verdict reproduced in the others."),
    per_step: list[str] = typer.Option(
        [], help="With --replicate of kernel tables: a leg's step, as LEG=14*Decode+2*Beta."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print every comparison as JSON."),
) -> int:
    """Compare A with B (and each further side): first whether they may be, then the ratios."""
    from roofmark import comparing
    from roofmark.reports import comparisons

    split = [_paths(side) for side in sides]
    folders = {path.is_dir() for side in split for path in side}
    if len(folders) > 1:
        raise typer.BadParameter("bundles are folders, files are none; name one kind")
    if per_step and (folders != {False} or not replicate):
        raise typer.BadParameter("it is for --replicate of files", param_hint="--per-step")
    if folders == {False} and replicate:
        return _again(split, margin=margin, steps=per_step, as_json=as_json)
    if folders == {False}:
        return _files(split, margin=margin, as_json=as_json)
    if sum(map(len, split)) < 2 or (len(split) < 2 and not replicate):
        raise typer.BadParameter("a comparison needs two sides; name another bundle")
    if replicate:
        again = comparing.replicate_bundles(split)
        _show(again, [comparisons.replication_text(each) for each in again], as_json=as_json)
        return _worst(_CODES.get(each.outcome, UNDECIDED) for each in again)
    found = comparing.compare_bundles(split, solution=solution, margin=margin)
    _show(found, [comparisons.compared_text(each) for each in found], as_json=as_json)
    return _worst(_code(each) for each in found)


def _files(sides: Sequence[Sequence[Path]], *, margin: float | None, as_json: bool) -> int:
    """Compare files of another tool; single numbers decide nothing, so the end is undecided."""
    from roofmark.comparing import compare_files
    from roofmark.reports.comparisons import foreign_compared_text

    found = compare_files(sides, margin=margin)
    _show(found, [foreign_compared_text(each) for each in found], as_json=as_json)
    return UNDECIDED


def _again(
    runs: Sequence[Sequence[Path]], *, margin: float | None, steps: list[str], as_json: bool
) -> int:
    """Say whether the legs of later runs fall as those of the first one."""
    from roofmark.comparing import replicate_files
    from roofmark.reports.comparisons import foreign_replication_text

    if len(runs) < 2 or min(map(len, runs)) < 2:
        raise typer.BadParameter("name the legs of each run: ORIGINAL1,ORIGINAL2 AGAIN1,AGAIN2")
    try:
        found = replicate_files(runs, margin=margin, steps=steps)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--per-step") from error
    _show(found, [foreign_replication_text(each) for each in found], as_json=as_json)
    return _worst(_CODES.get(each.outcome, UNDECIDED) for each in found)


def _paths(side: str) -> list[Path]:
    """Split A1,A2; a path that is there may hold a comma."""
    whole = Path(side)
    paths = [whole] if whole.exists() else [Path(part) for part in side.split(",") if part]
    for path in paths:
        if not path.exists():
            raise typer.BadParameter(f"there is no {str(path)!r}")
    return paths


def _show(records: Sequence[object], texts: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"comparisons": list(records)})
    else:
        typer.echo(plain("\n".join(texts)), nl=False)


def _code(found: "Compared") -> int:
    decisions = {each.decision for each in found.overall}
    if found.outcome == "not comparable":
        return UNDECIDED
    if decisions & {"slower", "invalid"}:
        return FAILS
    return HOLDS if decisions and "undecided" not in decisions else UNDECIDED


def _worst(codes: Iterable[int]) -> int:
    """Return 1 if any says so, else 3 if any does, else 0."""
    found = set(codes)
    return next((code for code in (FAILS, UNDECIDED) if code in found), HOLDS)
