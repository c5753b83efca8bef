"""`roofmark log`: every bundle below a folder or an address over time."""

from pathlib import Path

import typer

from roofmark.cli import DAMAGED, HOLDS
from roofmark.cli.speak import no_search_for_cycles, print_json, progress_bar, say_wrote
from roofmark.terminal_text import plain


def main(
    folder: str = typer.Argument(..., help="A folder of bundles, or an address (s3://...)."),
    solution: str | None = typer.Option(None, help="Show this solution alone."),
    workload: str | None = typer.Option(None, help="Show the times of this workload alone."),
    pin: Path | None = typer.Option(None, help="File that `roofmark pin` wrote, to show beside."),
    output: Path | None = typer.Option(
        None, "-o", "--output", help="Also write charts: FILE.html, FILE.md or FOLDER.svg."
    ),
    force: bool = typer.Option(False, "--force", help="Replace the file if it exists."),
    as_json: bool = typer.Option(False, "--json", help="Print the history as JSON."),
) -> int:
    """Show bundles oldest first, in lines of comparable ones: best, change points, what moved."""
    from roofmark.gating import read_pin
    from roofmark.remembering import read_history
    from roofmark.reports.history import history_text

    pinned = read_pin(pin) if pin is not None else None
    with progress_bar() as show, no_search_for_cycles():
        history = read_history(folder, solution=solution, workload=workload, pin=pinned, say=show)
    if as_json:
        print_json(history)
    else:
        typer.echo(plain(history_text(history)), nl=False)
    if output is not None:
        from roofmark.reports.history_pages import write_history

        say_wrote(write_history(history, output, force=force))
    return HOLDS if history.lines else DAMAGED
