"""`roofmark gate`: does a new bundle keep what a pin promises?"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli.pin import metric_named
from roofmark.cli.speak import print_json, say_wrote
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.gate import Gate


def main(
    bundle: Path = typer.Argument(..., help="Folder of the new, sealed bundle."),
    baseline: Path = typer.Option(..., "--baseline", help="File that `roofmark pin` wrote."),
    margin: float | None = typer.Option(
        None, help="Slow-down that must not pass, 0.03 for 3 %; without it derived per cell."
    ),
    metric: str | None = typer.Option(
        None, help="speedup (over the study's baseline) or time; without it the pin's."
    ),
    workload: list[str] = typer.Option([], "-w", "--workload", help="Only these; * and ? match."),
    solution: list[str] = typer.Option([], "-s", "--solution", help="Only these; * and ? match."),
    alarm: float = typer.Option(0.02, help="How often unchanged code may fail the whole gate."),
    junit: Path | None = typer.Option(None, help="Write JUnit XML to this file."),
    summary: Path | None = typer.Option(None, help="Append Markdown, as to $GITHUB_STEP_SUMMARY."),
    as_json: bool = typer.Option(False, "--json", help="Print the gate as JSON."),
) -> int:
    """Gate a bundle against a pin: 0 it passes, 1 it fails, 3 it cannot be decided."""
    from roofmark import gating
    from roofmark.analysis.gate import Ask
    from roofmark.reports.gates import gate_text

    ask = Ask(
        margin=margin,
        metric=metric_named(metric) if metric is not None else None,
        workloads=tuple(workload),
        solutions=tuple(solution),
        alarm=alarm,
    )
    gate = gating.gate(bundle, baseline, ask=ask)
    if as_json:
        print_json(gate)
    else:
        typer.echo(plain(gate_text(gate)), nl=False)
    _write(gate, junit, summary)
    return {"pass": HOLDS, "fail": FAILS, "undecided": UNDECIDED}[gate.decision]


def _write(gate: "Gate", junit: Path | None, summary: Path | None) -> None:
    """Write the pages; a CI job's own files are there to be replaced and appended to."""
    from roofmark.reports.gates import gate_junit, gate_markdown
    from roofmark.text_files import append_text, write_files

    if junit is not None:
        write_files(junit.parent, {junit.name: gate_junit(gate)}, force=True)
        say_wrote(junit)
    if summary is not None:
        append_text(summary, gate_markdown(gate))
        say_wrote(summary)
