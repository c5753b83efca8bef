"""`roofmark degenerate`: which outputs of a model are none?"""

from pathlib import Path

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.accuracy import FIELD_HELP, append_summary, fields_of
from roofmark.cli.speak import print_json, say
from roofmark.records import Missing
from roofmark.terminal_text import plain


def main(
    files: list[Path] = typer.Argument(..., help="Outputs of a model: answers, soak runs."),
    allow: float = typer.Option(
        0.0, min=0, max=1, help="Largest part of a leg's outputs that may be degenerate."
    ),
    field: list[str] = typer.Option([], help=FIELD_HELP),
    format: str | None = typer.Option(
        None, help="Their format; answers_text for plain text, parted by lines of ---."
    ),
    summary: Path | None = typer.Option(None, help="Append Markdown, as to $GITHUB_STEP_SUMMARY."),
    as_json: bool = typer.Option(False, "--json", help="Print every finding as JSON."),
) -> int:
    """Look for outputs that repeat, are empty or broken: 0 none, 1 some, 3 nothing to look at."""
    from roofmark.analysis.degenerate import find_degenerate
    from roofmark.answering import read_legs
    from roofmark.reports.answers import degenerate_text, markdown

    read = read_legs(files, format=format, fields=fields_of(field))
    legs = [find_degenerate(each) for each in read.legs]
    for note in read.notes:
        say(f"note: {note}")
    if as_json:
        print_json({"legs": legs, "notes": read.notes})
    else:
        typer.echo(plain(degenerate_text(legs)), nl=False)
    append_summary(summary, [markdown("degenerate outputs", degenerate_text(legs))])
    shares = [each.share for each in legs]
    if any(isinstance(share, float) and share > allow for share in shares):
        return FAILS
    return UNDECIDED if any(isinstance(share, Missing) for share in shares) else HOLDS
