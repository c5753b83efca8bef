"""`roofmark ask`: a set of questions to legs of a study, for `roofmark accuracy`."""

import json
from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import say


def main(
    study: Path = typer.Argument(..., help="A study.py or its folder, with servers or engines."),
    questions: Path = typer.Argument(..., help='JSON lines: {"question": ..., "answer": ...}.'),
    solution: list[str] = typer.Option(
        ..., "-s", "--solution", help="A server or an engine; repeat it."
    ),
    output: Path = typer.Option(..., "-o", "--output", help="Answers, one a line."),
    tokens: int = typer.Option(512, min=1, max=65536, help="Most tokens of one answer."),
    streams: int = typer.Option(4, min=1, max=1024, help="Questions under way at once (servers)."),
    limit: float = typer.Option(3600.0, min=1, help="Seconds for each leg's questions."),
    template: str = typer.Option(
        "Question: {question}\nAnswer:", help="The prompt; {question} is filled in."
    ),
    device: str = typer.Option("auto", help="Where engines run: auto, cpu or cuda."),
    force: bool = typer.Option(False, help="Replace the file if it exists."),
) -> int:
    """Ask legs a set of questions, greedily; `roofmark accuracy` pairs the answers."""
    from roofmark.asking import ask_leg, read_questions
    from roofmark.loading import load_study
    from roofmark.options import AskOptions

    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is none of auto, cpu, cuda")
    if output.exists() and not force:
        raise typer.BadParameter(f"{output} exists; --force replaces it")
    asked, loaded = read_questions(questions), load_study(study)
    options = AskOptions(
        device=device, tokens=tokens, streams=streams, limit=limit, template=template
    )
    lines: list[str] = []
    for name in solution:
        say(f"asking {name} {len(asked)} questions")
        lines += [json.dumps(row) for row in ask_leg(loaded, name, asked, options)]
    output.write_text("\n".join(lines) + "\n")
    say(f"Wrote {output}")
    return HOLDS
