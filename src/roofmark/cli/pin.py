"""`roofmark pin`: what later bundles are gated against."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json, say, say_wrote
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.baseline import Metric


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    output: Path = typer.Option(..., "-o", "--output", help="File of the pin, such as pin.json."),
    metric: str = typer.Option(
        "speedup", help="What gates compare if they do not say: speedup or time. Both are kept."
    ),
    reason: str = typer.Option("", help="Why a pin is replaced, or a guard overridden."),
    force: bool = typer.Option(
        False, "--force", help="Pin in spite of the guards; needs --reason."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the pin as JSON."),
) -> int:
    """Pin a healthy bundle as the yardstick of `roofmark gate`."""
    from roofmark import gating
    from roofmark.reports.pins import changes_text, sharpness_text

    chosen = metric_named(metric)
    changes = gating.changes(bundle, output)
    if changes:
        say(f"{output} is a pin already; it would change so:\n{changes_text(changes)}")
    made = gating.pin(bundle, output, metric=chosen, reason=reason, force=force)
    if as_json:
        print_json(made)
    else:
        typer.echo(plain(f"{len(made.cells)} cells of {made.study} on {made.device_name}"))
        typer.echo(plain(sharpness_text(made)))
    for each in made.forced:
        say(f"in spite of: {each}")
    say_wrote(output)
    return HOLDS


def metric_named(metric: str) -> "Metric":
    """Return the metric of that name. Raises: BadParameter for any other word."""
    if metric not in ("speedup", "time"):
        raise typer.BadParameter(f"{metric!r} is not one of speedup, time", param_hint="--metric")
    return metric
