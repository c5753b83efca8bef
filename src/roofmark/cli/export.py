"""`roofmark export`: a bundle as a data set that FlashInfer-Bench reads and runs."""

import re
from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json, say, say_wrote

_OP_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    output: Path = typer.Option(..., "-o", "--output", help="Folder of the data set."),
    op_type: str = typer.Option(
        "", help="Kind of operator there; without it the definition's name."
    ),
    author: str = typer.Option("unknown", help="Author of the solutions."),
    force: bool = typer.Option(False, "--force", help="Replace files that are there."),
    as_json: bool = typer.Option(False, "--json", help="Print the written paths as JSON."),
) -> int:
    """Write a bundle as a FlashInfer-Trace data set: definition, workloads, solutions, traces."""
    from roofmark.exporting import export

    if op_type and not _OP_TYPE.fullmatch(op_type):
        raise typer.BadParameter(f"{op_type!r} cannot name a folder", param_hint="--op-type")
    if not author.strip():
        raise typer.BadParameter("an author has a name", param_hint="--author")
    written = export(bundle, output, op_type=op_type, author=author, force=force)
    if as_json:
        print_json([str(path) for path in written])
    say(f"What that format cannot say stands in {output / 'README.md'}")
    say_wrote(output)
    return HOLDS
