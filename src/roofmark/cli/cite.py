"""`roofmark cite`: are the numbers of a text what the evidence gives?"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS
from roofmark.cli.speak import print_json, say
from roofmark.records import Missing
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.cite.records import Citation, Citations


def main(
    text: Path = typer.Argument(..., help="A Markdown text: a summary, a pull request's body."),
    evidence: list[Path] = typer.Argument(..., help="Bundles, files of other tools, or folders."),
    strict: bool = typer.Option(False, "--strict", help="Numbers without evidence fail too."),
    as_json: bool = typer.Option(False, "--json", help="Print every claim as JSON."),
) -> int:
    """Check each number of a text against evidence: supported, contradicted, or not derivable."""
    from roofmark.citing import cite

    for path in (text, *evidence):
        if not path.exists():
            raise typer.BadParameter(f"{path} does not exist")
    found = cite(text, *evidence)
    if as_json:
        print_json(found)
    else:
        for line in _lines(found):
            typer.echo(plain(line))
    wrong = found.count("contradicted")
    missing = found.count("not derivable")
    say(
        f"{found.count('supported')} supported, {wrong} contradicted, {missing} not derivable; "
        f"{len(found.read)} read, {len(found.unread)} unread"
    )
    return FAILS if wrong or (strict and missing) else HOLDS


def _lines(found: "Citations") -> list[str]:
    rows = [_line(each) for each in found.citations]
    rows += [f"unread {each.name}: {each.reason}" for each in found.unread]
    return rows + [f"note: {note}" for note in found.notes]


def _line(each: "Citation") -> str:
    claim = each.claim
    status = f"{each.status} ({each.fault})" if each.fault else each.status
    line = f"line {claim.line}: {claim.text} {status}"
    if not isinstance(each.truth, Missing):
        truth = each.truth
        line += f": {truth.value:.6g} {truth.unit} by {truth.estimator} of {truth.label}"
    return f"{line}; {each.note}" if each.note else line
