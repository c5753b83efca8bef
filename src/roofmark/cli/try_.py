"""`roofmark try`: one candidate, as one try of a loop."""

from pathlib import Path

import typer

from roofmark.cli import FAILS, HOLDS, Ended
from roofmark.cli.speak import print_json, progress_bar, say, say_wrote
from roofmark.options import LoopOptions


def main(
    study: Path = typer.Argument(..., help="A study.py or its folder."),
    candidate: Path | None = typer.Argument(None, help="A file, or a folder of changed files."),
    solution: str = typer.Option(..., "-s", "--solution", help="The one to improve."),
    output: Path = typer.Option(..., "-o", "--output", help="Folder of the loop, new or old."),
    param: list[str] = typer.Option([], help="NAME=VALUE of a declared param."),
    hypothesis: str = typer.Option("", help="What is tried, for the journal."),
    predicted: float | None = typer.Option(None, help="Speed-up that is expected."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    margin: float | None = typer.Option(None, help="Smallest gain to keep; default: the study's."),
    as_json: bool = typer.Option(False, "--json", help="Print the outcome as JSON."),
) -> int:
    """Measure a candidate against the loop's incumbent: exit code 0 if it is kept, else 1."""
    from roofmark.looping import Note
    from roofmark.looping.step import try_candidate

    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is not one of auto, cpu, cuda", param_hint="--device")
    note = Note(hypothesis=hypothesis, params=dict(map(_param, param)))
    if predicted is not None:
        note = Note(hypothesis=hypothesis, params=note.params, predicted=predicted)
    options = LoopOptions(device=device, margin=margin)
    try:
        with progress_bar() as show:
            found = try_candidate(
                study, solution, (candidate, note), output, options=options, progress=show
            )
    except KeyboardInterrupt as error:
        raise Ended(error, "The next try of this loop finishes this one first.") from error
    if as_json:
        print_json(found)
    else:
        typer.echo(f"try {found.number}: {found.ending}: {found.reason}")
    say("kept" if found.ending == "kept" else "not kept")
    say_wrote(output)
    return HOLDS if found.ending == "kept" else FAILS


def _param(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    try:
        return name, int(value)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not NAME=INTEGER", param_hint="--param") from error
