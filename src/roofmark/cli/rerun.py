"""`roofmark rerun`: does the verdict of a bundle reproduce?"""

from pathlib import Path

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.speak import print_json, progress_bar, say_wrote
from roofmark.terminal_text import plain


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    output: Path | None = typer.Option(None, "-o", "--output", help="Folder of the new bundle."),
    as_json: bool = typer.Option(False, "--json", help="Print the replication as JSON."),
) -> int:
    """Run a bundle's own study and sources again, and compare the verdicts."""
    from roofmark import api

    target = output or bundle.with_name(bundle.resolve().name + "-again")
    with progress_bar() as show:
        replication = api.rerun(bundle, target, progress=show)
    if as_json:
        print_json(replication)
    else:
        typer.echo(f"{replication.outcome}")
        for each in replication.solutions:
            typer.echo(
                plain(f"  {each.solution}: {each.outcome} (was {each.original}, is {each.again})")
            )
        for each in replication.differences:
            mend = f" ({each.mend})" if each.mend else ""
            typer.echo(plain(f"  {each.field}: {each.original} -> {each.again}{mend}"))
    say_wrote(target)
    codes = {"reproduced": HOLDS, "not reproduced": FAILS}
    return codes.get(replication.outcome, UNDECIDED)
