"""`roofmark accuracy`: are a leg's answers right, and as right as another leg's?"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.speak import print_json, say, say_wrote
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.accuracy import Compared, Judged
    from roofmark.records import Missing

FIELD_HELP = (
    "What a key of the file holds, as text=reply; fields: id, question, expected, text, extracted, "
    "outcome, seconds, finish, tokens, error, leg."
)
_GATES = {"holds": HOLDS, "fails": FAILS, "undecided": UNDECIDED}
_DECISIONS = {"better": HOLDS, "same": HOLDS, "worse": FAILS}


def main(
    files: list[Path] = typer.Argument(
        ..., help="Answers of one leg each; every further leg is compared with the first."
    ),
    floor: float | None = typer.Option(
        None, min=0, max=1, help="Least accuracy of a leg over its whole set, 0.9 for 90 %."
    ),
    ship: float | None = typer.Option(
        None, min=0, max=1, help="Largest loss of accuracy against the first leg, 0.02 for 2 %."
    ),
    level: float = typer.Option(0.95, min=0.5, max=0.9999, help="Of intervals and tests."),
    rule: str | None = typer.Option(
        None, help="Take answers from the texts by this rule: gsm8k/1 or exact/1."
    ),
    common: bool = typer.Option(False, help="Questions that only one leg has do not count."),
    field: list[str] = typer.Option([], help=FIELD_HELP),
    format: str | None = typer.Option(None, help="Their format, if their bytes do not tell."),
    summary: Path | None = typer.Option(None, help="Append Markdown, as to $GITHUB_STEP_SUMMARY."),
    as_json: bool = typer.Option(False, "--json", help="Print everything as JSON."),
) -> int:
    """Judge answers; compare them question by question: 0 holds, 1 does not, 3 undecided."""
    from roofmark.analysis.accuracy import compare_answers, judge_answers
    from roofmark.answering import read_legs
    from roofmark.reports import answers as pages

    read = read_legs(files, format=format, fields=fields_of(field), rule=rule)
    first, *others = read.legs
    if not others and ship is not None:
        raise typer.BadParameter("a loss needs two legs; name another file", param_hint="--ship")
    found: list[Judged | Compared] = [
        compare_answers(first, each, floor=floor, ship=ship, level=level, common=common)
        for each in others
    ] or [judge_answers(first, floor=floor, level=level)]
    texts = [
        pages.compared_answers_text(each) if others else pages.judged_text(each)  # pyright: ignore[reportArgumentType]
        for each in found
    ]
    for note in read.notes:
        say(f"note: {note}")
    if as_json:
        print_json({"accuracy": found, "notes": read.notes})
    else:
        typer.echo(plain("\n".join(texts)), nl=False)
    append_summary(summary, [pages.markdown("accuracy", text) for text in texts])
    return worst(_code(each) for each in found)


def fields_of(declared: Iterable[str]) -> list[tuple[str, str]]:
    """Return what keys hold. Raises: BadParameter for what is not WHAT=KEY."""
    pairs = [each.partition("=") for each in declared]
    for what, mark, key in pairs:
        if not (what and mark and key):
            raise typer.BadParameter(f"{what!r} is not FIELD=KEY", param_hint="--field")
    return [(what, key) for what, _, key in pairs]


def append_summary(path: Path | None, parts: Iterable[str]) -> None:
    """Append Markdown where a path was named."""
    from roofmark.text_files import append_text

    if path is not None:
        append_text(path, "\n".join(parts))
        say_wrote(path)


def worst(codes: Iterable[int]) -> int:
    """Return 1 if any says so, else 3 if any does, else 0."""
    found = set(codes)
    return next((code for code in (FAILS, UNDECIDED) if code in found), HOLDS)


def _code(found: "Judged | Compared") -> int:
    from roofmark.analysis.accuracy import Compared, Gate

    gates: list[Gate | Missing] = [found.floor]
    if isinstance(found, Compared):
        if found.decision == "not comparable":
            return UNDECIDED
        gates.append(found.ship)
    asked = [_GATES[each.decision] for each in gates if isinstance(each, Gate)]
    if asked or not isinstance(found, Compared):
        return worst(asked)
    return _DECISIONS.get(found.decision, UNDECIDED)
