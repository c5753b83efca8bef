"""`roofmark rerun`: does the verdict of a bundle reproduce?"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.speak import kept_on_interrupt, print_json, progress_bar, say_wrote
from roofmark.records import Missing
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Decision


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    output: Path | None = typer.Option(None, "-o", "--output", help="Folder of the new bundle."),
    as_json: bool = typer.Option(False, "--json", help="Print the replication as JSON."),
) -> int:
    """Run a bundle's own study and sources again, and compare the verdicts."""
    from roofmark import api

    target = output or bundle.with_name(bundle.resolve().name + "-again")
    with kept_on_interrupt(target), progress_bar() as show:
        replication = api.rerun(bundle, target, progress=show)
    if as_json:
        print_json(replication)
    else:
        typer.echo(f"{replication.outcome}")
        for each in replication.solutions:
            was, now = shown(each.original), shown(each.again)
            typer.echo(plain(f"  {each.solution}: {each.outcome} (was {was}, is {now})"))
        for each in replication.differences:
            mend = f" ({each.mend})" if each.mend else ""
            typer.echo(plain(f"  {each.field}: {each.original} -> {each.again}{mend}"))
    say_wrote(target)
    codes = {"reproduced": HOLDS, "not reproduced": FAILS}
    return codes.get(replication.outcome, UNDECIDED)


def shown(decision: "Decision | Missing") -> str:
    """Return a decision, or why there is none."""
    return decision.reason if isinstance(decision, Missing) else decision
