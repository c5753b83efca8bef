"""`roofmark verify`: is every byte of a bundle what was sealed?"""

import json
from pathlib import Path

import typer

from roofmark.bundle import open_bundle, verify_bundle
from roofmark.cli import DAMAGED, HOLDS
from roofmark.terminal_text import plain


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> int:
    """Check every byte of a bundle against its manifest."""
    wrong = verify_bundle(bundle)
    digest = "" if wrong else open_bundle(bundle).digest
    if as_json:
        typer.echo(json.dumps({"intact": not wrong, "digest": digest, "wrong": wrong}, indent=1))
    elif wrong:
        typer.echo("damaged:\n" + "\n".join(f"  {plain(each)}" for each in wrong))
    else:
        typer.echo(f"intact: {digest}")
    return DAMAGED if wrong else HOLDS
