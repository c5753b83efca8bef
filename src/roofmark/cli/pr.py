"""`roofmark pr`: the body of a pull request, from evidence alone."""

from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json, say_wrote


def main(
    source: Path = typer.Argument(..., help="Folder of a loop, or of a sealed bundle."),
    solution: str = typer.Option("", "-s", "--solution", help="Of a bundle with several."),
    output: Path | None = typer.Option(None, "-o", "--output", help="FILE.md; default: stdout."),
    force: bool = typer.Option(False, "--force", help="Replace the file if it exists."),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> int:
    """Write a pull request's body: the gain, its evidence, what was tried, how to reproduce."""
    from roofmark.looping.pull_request import render_pull_request
    from roofmark.text_files import write_files

    body = render_pull_request(source, solution)
    if output is not None:
        write_files(output.parent, {output.name: body}, force=force)
    if as_json:
        print_json({"body": body})
    elif output is None:
        typer.echo(body, nl=False)
    if output is not None:
        say_wrote(output)
    return HOLDS
