"""`roofmark report`: a page about a bundle."""

from pathlib import Path

import typer

from roofmark.cli.speak import exit_code_of, print_json, say_wrote


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    output: Path | None = typer.Option(
        None, "-o", "--output", help="FILE.html, FILE.md or FOLDER.svg."
    ),
    force: bool = typer.Option(False, "--force", help="Replace the file if it exists."),
    as_json: bool = typer.Option(False, "--json", help="Print the verdict as JSON."),
) -> int:
    """Write a report (.html, .md or .svg) about a bundle."""
    from roofmark import api

    opened = api.open_bundle(bundle)
    verdict = api.judge(opened)
    page = output or opened.path.resolve().with_name(f"{opened.name}.html")
    written = api.report(opened, verdict, page, force=force)
    if as_json:
        print_json(verdict)
    say_wrote(written)
    return exit_code_of(verdict)
