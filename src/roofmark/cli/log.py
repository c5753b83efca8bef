"""`roofmark log`: every bundle below a folder over time."""

from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json
from roofmark.terminal_text import plain


def main(
    folder: Path = typer.Argument(..., help="A folder of bundles.", exists=True, file_okay=False),
    solution: str | None = typer.Option(None, help="Show this solution alone."),
    workload: str | None = typer.Option(None, help="Show the times of this workload alone."),
    as_json: bool = typer.Option(False, "--json", help="Print the history as JSON."),
) -> int:
    """Show bundles oldest first, in lines of comparable ones: best, change points, what moved."""
    from roofmark.remembering import read_history
    from roofmark.reports.history import history_text

    history = read_history(folder, solution=solution, workload=workload)
    if as_json:
        print_json(history)
    else:
        typer.echo(plain(history_text(history)), nl=False)
    return HOLDS
