"""`roofmark loop`: propose, prove, keep or not; `loop status FOLDER` shows how far it is."""

from pathlib import Path
from typing import cast

import typer

from roofmark.cli import FAILS, HOLDS, Ended
from roofmark.cli.speak import print_json, progress_bar, say, say_wrote
from roofmark.options import LoopOptions


def main(
    study: Path = typer.Argument(..., help="A study.py or its folder; or the word `status`."),
    folder: Path | None = typer.Argument(None, help="After `status`: the folder of a loop."),
    solution: str | None = typer.Option(None, "-s", "--solution", help="The one to improve."),
    propose: str | None = typer.Option(None, help="Shell command that changes the scratch."),
    candidates: Path | None = typer.Option(None, help="Folder of candidates to try in order."),
    output: Path | None = typer.Option(None, "-o", "--output", help="Folder of the loop."),
    iterations: int = typer.Option(10, min=1, help="Tries, those of earlier sessions included."),
    time_limit: float | None = typer.Option(
        None, min=1, help="Begin no try after so many seconds."
    ),
    propose_limit: float = typer.Option(1800.0, min=1, help="Seconds for one proposal."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    margin: float | None = typer.Option(None, help="Smallest gain to keep; default: the study's."),
    alpha: float = typer.Option(0.05, help="Chance that the whole loop keeps what is no gain."),
    fleet: str = typer.Option("", help="Spread each run over devices, as in `roofmark run`."),
    commit: bool = typer.Option(False, "--commit", help="Commit each kept candidate with git."),
    as_json: bool = typer.Option(False, "--json", help="Print the tries as JSON."),
) -> int:
    """Improve one solution by proved steps: exit code 0 if anything was kept, else 1."""
    from roofmark.looping import from_command, from_folder, loop

    if str(study) == "status":
        return _status(folder, as_json=as_json)
    if folder is not None or solution is None or output is None:
        raise typer.BadParameter("give one STUDY, --solution and -o; or: status FOLDER")
    if (propose is None) == (candidates is None):
        raise typer.BadParameter("give either --propose or --candidates")
    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is not one of auto, cpu, cuda", param_hint="--device")
    if propose is not None:
        proposer = from_command(propose, limit=propose_limit)
    else:
        proposer = from_folder(cast(Path, candidates))
    options = LoopOptions(
        device=device,
        margin=margin,
        alpha=alpha,
        iterations=iterations,
        time_limit=time_limit,
        commit=commit,
        fleet=fleet,
    )
    try:
        with progress_bar() as show:
            loop(study, solution, proposer, output, options=options, progress=show)
    except KeyboardInterrupt as error:
        raise Ended(error, "The same command goes on where it was.") from error
    code = _status(output, as_json=as_json)
    say_wrote(output)
    return code


def _status(folder: Path | None, *, as_json: bool) -> int:
    """Show the ledger of a loop, running or not."""
    from roofmark.looping.journal import read_journal, render_ledger
    from roofmark.looping.tries import Try
    from roofmark.terminal_text import plain

    if folder is None or not (folder / "loop.json").is_file():
        raise typer.BadParameter("name the folder of a loop; it holds a loop.json")
    entries = read_journal(folder)
    tries = [each for each in entries if isinstance(each, Try)]
    kept = [each.number for each in tries if each.ending == "kept"]
    if as_json:
        print_json(entries)
    else:
        typer.echo(plain(render_ledger(entries)), nl=False)
    best = f"best is try {kept[-1]}" if kept else "nothing was kept"
    say(f"{len(tries)} tries, {len(kept)} kept; {best}")
    return HOLDS if kept else FAILS
