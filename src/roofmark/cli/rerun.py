"""`roofmark rerun`: does the verdict of a bundle reproduce?"""

from pathlib import Path

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.run_view import watch_run
from roofmark.cli.speak import kept_on_interrupt, print_json, say, say_wrote
from roofmark.terminal_text import plain


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    output: Path | None = typer.Option(None, "-o", "--output", help="Folder of the new bundle."),
    as_json: bool = typer.Option(False, "--json", help="Print the replication as JSON."),
) -> int:
    """Run a bundle's own study and sources again, and compare the verdicts."""
    from roofmark import api
    from roofmark.reports.comparisons import replication_text

    target = output or bundle.resolve().with_name(bundle.resolve().name + "-again")
    if not as_json:
        say(f"This runs the sources of {bundle} on this machine, with your rights.")
    with kept_on_interrupt(target), watch_run() as show:
        replication = api.rerun(bundle, target, progress=show)
    if as_json:
        print_json(replication)
    else:
        typer.echo(plain(replication_text(replication)), nl=False)
    say_wrote(target)
    codes = {"reproduced": HOLDS, "not reproduced": FAILS}
    return codes.get(replication.outcome, UNDECIDED)
