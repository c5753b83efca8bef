"""`roofmark cite`: are the numbers of a text what the evidence gives?"""

from pathlib import Path

import typer

from roofmark.cli import FAILS, HOLDS
from roofmark.cli.speak import print_json
from roofmark.terminal_text import plain


def main(
    text: Path = typer.Argument(..., help="A Markdown file.", exists=True, dir_okay=False),
    evidence: list[Path] = typer.Argument(
        ..., help="Bundles, files of other tools, or folders of both.", exists=True
    ),
    warm_up: int | None = typer.Option(
        None, min=0, help="How many of the first samples of a timing file do not count."
    ),
    strict: bool = typer.Option(False, help="A number that is not derivable fails, too."),
    faults: bool = typer.Option(False, help="Show contradicted numbers alone."),
    as_json: bool = typer.Option(False, "--json", help="Print every claim as JSON."),
) -> int:
    """Check a text's numbers against evidence: 0 if none is contradicted, else 1."""
    from roofmark.citing import cite
    from roofmark.reports.citations import citations_text

    found = cite(text, *evidence, warm_up=warm_up)
    if as_json:
        print_json(found)
    else:
        typer.echo(plain(citations_text(found, every=not faults)), nl=False)
    wrong = found.count("contradicted") + (found.count("not derivable") if strict else 0)
    return FAILS if wrong else HOLDS
