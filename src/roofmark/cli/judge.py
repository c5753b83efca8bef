"""`roofmark judge`: what follows from a bundle, and whether a claim about it holds."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.speak import exit_code_of, print_json, say

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Overall, Verdict


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    claim: str | None = typer.Option(None, help='Test a claim: "cuda faster 2.0" or "cuda same".'),
    as_json: bool = typer.Option(False, "--json", help="Print the verdict as JSON."),
) -> int:
    """Judge a bundle again: the same bytes give the same verdict."""
    from roofmark import api

    opened = api.open_bundle(bundle)
    verdict = api.judge(opened)
    if as_json:
        print_json(verdict)
    else:
        from roofmark.reports.terminal import render_terminal

        typer.echo(render_terminal(verdict, opened), nl=False)
    return exit_code_of(verdict) if claim is None else _test(claim, verdict)


def _test(claim: str, verdict: "Verdict") -> int:
    """Return whether a claim holds, is contradicted, or cannot be decided."""
    words = claim.split()
    if len(words) not in (2, 3) or words[1] not in ("faster", "slower", "same"):
        raise typer.BadParameter(f"{claim!r} is not 'NAME faster|slower|same [RATIO]'")
    known = {each.solution: each for each in verdict.overall if each.role == "solution"}
    if words[0] not in known:
        raise typer.BadParameter(f"no solution {words[0]!r}; known: {', '.join(known)}")
    try:
        least = float(words[2]) if len(words) == 3 else None
    except ValueError as error:
        raise typer.BadParameter(f"{words[2]!r} is not a ratio") from error
    code = _weigh(known[words[0]], words[1], least)
    say(f"claim {claim!r}: " + {0: "holds", 1: "does not hold", 3: "undecided"}[code])
    return code


def _weigh(overall: "Overall", wanted: str, least: float | None) -> int:
    if overall.decision == "invalid":
        return FAILS
    if overall.decision == "undecided":
        return UNDECIDED
    if overall.decision != wanted:
        return FAILS
    if least is None:
        return HOLDS
    from roofmark.records import Missing

    if isinstance(overall.speedup, Missing):
        return UNDECIDED
    if overall.speedup.low >= least:
        return HOLDS
    return FAILS if overall.speedup.high < least else UNDECIDED
