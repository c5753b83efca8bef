"""`roofmark loop`: propose, prove, keep or not; `loop status FOLDER` shows how far it is."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from roofmark.cli import FAILS, HOLDS, Ended
from roofmark.cli.loop_view import sums, watch_loop
from roofmark.cli.speak import print_json, say, say_wrote
from roofmark.options import LoopOptions

if TYPE_CHECKING:
    from roofmark.looping import Proposer


def main(
    study: Path = typer.Argument(..., help="A study.py or its folder; or the word `status`."),
    folder: Path | None = typer.Argument(None, help="After `status`: the folder of a loop."),
    solution: str | None = typer.Option(None, "-s", "--solution", help="The one to improve."),
    workload: list[str] = typer.Option([], "-w", "--workload", help="Pattern of workload ids."),
    propose: str | None = typer.Option(None, help="Shell command that changes the scratch."),
    candidates: Path | None = typer.Option(None, help="Folder of candidates to try in order."),
    search: list[str] = typer.Option([], help="Param and values for Optuna: NAME=1,2,4 or 1..8."),
    seed: int = typer.Option(0, help="Of the search."),
    ahead: int = typer.Option(1, min=1, help="Points that the search builds side by side."),
    output: Path | None = typer.Option(None, "-o", "--output", help="Folder of the loop."),
    iterations: int = typer.Option(10, min=1, help="Tries, those before an interruption included."),
    device_time: float | None = typer.Option(
        None,
        min=1,
        help="Begin no try after so many seconds of measuring in all.",
    ),
    time_limit: float | None = typer.Option(
        None, min=1, help="Begin no try after so many seconds."
    ),
    patience: int | None = typer.Option(None, min=1, help="End after so many tries without gain."),
    propose_limit: float = typer.Option(1800.0, min=1, help="Seconds for one proposal."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    margin: float | None = typer.Option(None, help="Smallest gain to keep; default: the study's."),
    group_margin: float | None = typer.Option(
        None, help="Largest loss of one shape that is let pass; default: the margin."
    ),
    alpha: float = typer.Option(0.05, help="Chance that the whole loop keeps what is no gain."),
    fleet: str = typer.Option("", help="Spread each run over devices, as in `roofmark run`."),
    commit: bool = typer.Option(False, "--commit", help="Commit each kept candidate with git."),
    chart: bool = typer.Option(False, "--chart", help="After `status`: draw the chart again."),
    as_json: bool = typer.Option(False, "--json", help="Print the tries as JSON."),
) -> int:
    """Improve one solution by proved steps: exit code 0 if anything was kept, else 1."""
    from roofmark.looping import from_search, loop, parse_space

    if str(study) == "status":
        return _status(folder, as_json=as_json, chart=chart)
    if folder is not None or solution is None or output is None:
        raise typer.BadParameter("give one STUDY, --solution and -o; or: status FOLDER")
    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is not one of auto, cpu, cuda", param_hint="--device")
    if sum((propose is not None, candidates is not None, bool(search))) != 1:
        raise typer.BadParameter("give one of --propose, --candidates and --search")
    proposer = (
        from_search(parse_space(search), output / "search.log", seed=seed, ahead=ahead)
        if search
        else _proposer(propose, candidates, limit=propose_limit)
    )
    options = LoopOptions(
        device=device,
        workloads=tuple(workload),
        margin=margin,
        group_margin=group_margin,
        alpha=alpha,
        iterations=iterations,
        device_time=device_time,
        time_limit=time_limit,
        patience=patience,
        commit=commit,
        fleet=fleet,
    )
    try:
        with watch_loop(output) as show:
            loop(study, solution, proposer, output, options=options, progress=show)
    except KeyboardInterrupt as error:
        raise Ended(error, "The same command goes on where it was.") from error
    code = _status(output, as_json=as_json)
    say_wrote(output)
    return code


def _proposer(propose: str | None, candidates: Path | None, *, limit: float) -> "Proposer":
    from roofmark.looping import from_command, from_folder

    if propose is not None:
        return from_command(propose, limit=limit)
    return from_folder(cast(Path, candidates))


def _status(folder: Path | None, *, as_json: bool, chart: bool = False) -> int:
    """Show the ledger and the sums of a loop, running or not."""
    from roofmark.looping.chart import headline_of, start_seconds, write_charts
    from roofmark.looping.journal import read_journal, render_ledger
    from roofmark.looping.plan import read_plan
    from roofmark.looping.standing import sum_up
    from roofmark.looping.tries import Try
    from roofmark.terminal_text import plain

    if folder is None or not (folder / "loop.json").is_file():
        raise typer.BadParameter("name the folder of a loop; it holds a loop.json")
    entries = read_journal(folder)
    tries = [each for each in entries if isinstance(each, Try)]
    standing = sum_up(tries, start_seconds(folder), read_plan(folder).alpha)
    if as_json:
        print_json({"standing": standing, "entries": entries})
    else:
        typer.echo(plain(render_ledger(entries)), nl=False)
    for path in write_charts(folder) if chart else ():
        say_wrote(path)
    say(sums(standing))
    say(headline_of(standing))
    return HOLDS if standing.kept else FAILS
