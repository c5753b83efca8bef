"""`roofmark profile`: counters for what was measured, in a new bundle."""

from pathlib import Path

import typer

from roofmark.cli import HOLDS, UNDECIDED
from roofmark.cli.speak import kept_on_interrupt, print_json, progress_bar, say, say_wrote
from roofmark.options import ProfileOptions


def main(
    target: Path = typer.Argument(..., help="A sealed bundle, or a study to run first."),
    output: Path = typer.Option(..., "-o", "--output", help="Folder of the new bundle."),
    workload: list[str] = typer.Option([], "-w", "--workload", help="Pattern of workload ids."),
    solution: list[str] = typer.Option([], "-s", "--solution", help="Profile only these."),
    time_limit: float = typer.Option(300.0, min=1, help="Seconds for the whole pass."),
    launches: int = typer.Option(16, min=1, help="Most launches that are counted of one call."),
    timeline: Path | None = typer.Option(None, help="Write a trace of the calls for Perfetto."),
    as_json: bool = typer.Option(False, "--json", help="Print every profile as JSON."),
) -> int:
    """Count what measured kernels do, with Nsight Compute: 0 if all could be counted, else 3."""
    from roofmark import api
    from roofmark.profiled import Profiled, Profiles
    from roofmark.profiling import profile
    from roofmark.reports.profiles import profiles_text
    from roofmark.terminal_text import plain

    options = ProfileOptions(
        workloads=tuple(workload),
        solutions=tuple(solution),
        time_limit=time_limit,
        launches=launches,
        timeline=timeline,
    )
    if not as_json:
        say(f"This runs the sources of {target} on this machine, with your rights.")
    measured = output.with_name(f"{output.name}-measured")
    with kept_on_interrupt(measured), progress_bar() as show:
        bundle = profile(target, output, options=options, progress=show)
    pairs = tuple(bundle.profiles())
    if as_json:
        print_json(Profiles(bundle=bundle.digest, profiles=pairs))
    else:
        typer.echo(plain(profiles_text(pairs, api.judge(bundle))), nl=False)
    if timeline is not None:
        say_wrote(timeline)
    say(f"Judge it with its counters: roofmark judge {bundle.path}")
    say_wrote(bundle.path)
    return HOLDS if all(isinstance(each.outcome, Profiled) for each in pairs) else UNDECIDED
