"""`roofmark mcp`: the tools of a coding agent, over stdio."""

import importlib.util
from pathlib import Path

import typer

from roofmark.cli import HOLDS


def main(
    root: Path = typer.Option(Path(), help="Folder that requests are confined to."),
    device: str = typer.Option("auto", help="auto, cpu or cuda: where candidates are measured."),
) -> int:
    """Serve describe, evaluate, explain, compare and the journal to an agent (roofmark[mcp])."""
    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is not one of auto, cpu, cuda", param_hint="--device")
    if not root.is_dir():
        raise typer.BadParameter(f"{str(root)!r} is no folder", param_hint="--root")
    if importlib.util.find_spec("mcp") is None:
        raise typer.BadParameter('the server needs an extra: pip install "roofmark[mcp]"')
    from roofmark.agents.server import serve

    serve(root, device)
    return HOLDS
