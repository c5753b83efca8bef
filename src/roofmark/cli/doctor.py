"""`roofmark doctor`: what this machine can measure, what will be skipped, and how to mend it."""

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json
from roofmark.terminal_text import plain


def main(as_json: bool = typer.Option(False, "--json", help="Print as JSON.")) -> int:
    """Examine this machine: devices, compilers, profilers, clocks, load."""
    from roofmark.bench.doctor import examine

    found = examine()
    if as_json:
        print_json(found)
        return HOLDS
    for section in found.sections:
        typer.echo(section.title)
        for line in section.lines:
            typer.echo(plain(f"  [{line.state}] {line.name}: {line.found}"))
            for label, text in (("why", line.why), ("mend", line.mend), ("skips", line.skips)):
                if text and line.state != "ok":
                    typer.echo(plain(f"      {label}: {text}"))
    return HOLDS
