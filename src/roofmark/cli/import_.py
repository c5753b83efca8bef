"""`roofmark import`: read a file that another tool wrote, and say what it holds."""

from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json
from roofmark.terminal_text import plain


def main(
    file: Path = typer.Argument(..., help="A report, trace, CSV or JSON of another tool."),
    format: str | None = typer.Option(None, help="Its format, if its bytes do not tell."),
    column: str | None = typer.Option(None, help="The column that holds times (timing CSVs)."),
    unit: str | None = typer.Option(None, help="Unit of that column: s, ms, us or ns."),
    warm_up: int | None = typer.Option(None, help="How many of the first samples do not count."),
    per_step: str | None = typer.Option(
        None, help="What a step launches, as 14*Decode+2*Beta: its time, and what that covers."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print everything that was read as JSON."),
) -> int:
    """Read a foreign file: what it holds, how complete it is, what limits each profiled kernel."""
    from roofmark.importers import read_foreign
    from roofmark.importers.source import Declared
    from roofmark.reports.foreign import foreign_text

    declared = Declared(column=column, unit=unit, warm_up=warm_up)
    found = read_foreign(file, format=format, declared=declared)
    if as_json:
        print_json(found)
    else:
        try:
            text = foreign_text(found, step=per_step)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--per-step") from error
        typer.echo(plain(text), nl=False)
    return HOLDS
