"""`roofmark describe`: a study as whoever writes a candidate needs it."""

from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json


def main(
    study: Path = typer.Argument(..., help="A study.py or its folder."),
    solution: str = typer.Option("", "-s", "--solution", help="Show its incumbent's sources."),
    loop: Path | None = typer.Option(None, help="Folder of the loop that has the incumbent."),
    as_json: bool = typer.Option(False, "--json", help="Print all of it as JSON."),
) -> int:
    """Say what a study asks, what a candidate may change, and which rules it must follow."""
    from roofmark.looping.step import describe_study
    from roofmark.terminal_text import plain

    found = describe_study(study, solution, loop)
    if as_json:
        print_json(found)
        return HOLDS
    lines = [
        f"{found.study}: {len(found.workloads)} workloads; baseline {found.baseline}",
        f"solutions: {', '.join(each.name for each in found.solutions)}",
        f"negative controls: {', '.join(found.wrong) or 'none'}",
        *(f"- {rule}" for rule in found.rules),
    ]
    for name, text in found.sources.items():
        lines += ["", f"--- {name} (of try {found.incumbent})", text]
    typer.echo(plain("\n".join(lines)))
    return HOLDS
