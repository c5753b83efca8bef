"""`roofmark view`: a local web page over a folder of bundles."""

import importlib.util
from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import say


def main(
    folder: Path = typer.Argument(Path(), help="A folder of bundles; this one by default."),
    port: int | None = typer.Option(
        None, min=0, max=65535, help="Port of 127.0.0.1; by default the first free one from 8765."
    ),
    no_open: bool = typer.Option(False, "--no-open", help="Do not open a browser."),
) -> int:
    """Show bundles in a browser: list, compare, drill down, follow a run (roofmark[view])."""
    if not folder.is_dir():
        raise typer.BadParameter(f"{str(folder)!r} is no folder", param_hint="FOLDER")
    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn")):
        raise typer.BadParameter('the page needs an extra: pip install "roofmark[view]"')
    from roofmark.viewing.server import serve

    def tell(address: str) -> None:
        typer.echo(address)
        say(f"Shows {folder}, to this machine and this account alone. Ctrl-C ends it.")

    serve(folder, port=port, open_browser=not no_open, told=tell)
    say("Ended.")
    return HOLDS
