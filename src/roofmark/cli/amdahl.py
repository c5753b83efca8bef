"""`roofmark amdahl`: what a kernel's speed-up is worth in an engine, beside what was measured."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from roofmark.cli import HOLDS, UNDECIDED
from roofmark.cli.speak import print_json
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.records import Missing
from roofmark.study import Tier
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Estimate
    from roofmark.bundle import Bundle


def main(
    kernels: Path = typer.Argument(..., help="Bundle of a kernel study."),
    engine: Path = typer.Argument(..., help="Bundle of a study of serving engines."),
    solution: str = typer.Option(..., "-s", "--solution", help="The kernel that comes in."),
    workload: str = typer.Option(..., "-w", "--workload", help="Its shape in the engine."),
    leg: str = typer.Option(..., help="The leg in which the kernel study's baseline runs."),
    kernel: str = typer.Option(..., help="Part of that kernel's name in the leg's table."),
    against: str = typer.Option("", help="The leg with the new kernel, to set beside."),
    tier: str = typer.Option("graph", help="Tier of the kernel's speed-up: kernel, graph, call."),
    as_json: bool = typer.Option(False, "--json", help="Print the gains as JSON."),
) -> int:
    """Predict the end-to-end gain of a kernel, by Amdahl's law, and compare with the measured one.

    Exit code 0: a prediction was made for every load; 3: for some it could not be made.
    """
    from roofmark.analysis.amdahl import predict_gains, speedup_of
    from roofmark.bundle import open_bundle
    from roofmark.reports.amdahl import gains_text

    if tier not in ("kernel", "graph", "call"):
        raise typer.BadParameter(f"{tier!r} is not one of kernel, graph, call")
    one, other = open_bundle(kernels), open_bundle(engine)
    ratio = speedup_of(one, solution, workload, cast("Tier", tier))
    if isinstance(ratio, Missing):
        mend = f"It has: {', '.join(sorted(_measured(one)))}; see --tier."
        fact = f"no speed-up of {solution!r} on {workload!r}, {tier} tier: {ratio.reason}"
        raise BundleError(problem("RM437", fact, str(kernels), mend))
    gains = predict_gains(other, ratio, leg=leg, kernel=kernel, against=against)
    if not gains:
        mend = "Name a leg that was profiled, under a load that generates (Serving(profile=...))."
        raise BundleError(
            problem("RM437", f"no kernel table of {leg!r} is in it", str(engine), mend)
        )
    if as_json:
        print_json(_told(ratio, gains))
    else:
        typer.echo(plain(gains_text(ratio, gains, tier)), nl=False)
    return UNDECIDED if any(isinstance(each, Missing) for each in gains.values()) else HOLDS


def _measured(bundle: "Bundle") -> set[str]:
    return {f"{trace.solution} on {trace.workload}" for trace in bundle.traces()}


def _told(ratio: "Estimate", gains: object) -> object:
    return {"kernel": ratio, "gains": gains}
