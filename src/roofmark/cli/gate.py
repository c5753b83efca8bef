"""`roofmark gate`: is the code as fast as it was? By a pin, by another revision, by a ratio."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED, Ended
from roofmark.cli.pin import metric_named
from roofmark.cli.run import device_named, free_folder, process_range
from roofmark.cli.speak import print_json, progress_bar, say_wrote
from roofmark.options import AgainstOptions, RunOptions
from roofmark.records import Missing
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from roofmark.analysis.gate import Ask
    from roofmark.bundle import Bundle
    from roofmark.reports.gate_pages import AnyGate


def main(
    target: Path = typer.Argument(
        ..., help="Folder of a sealed bundle; with --against a study.py or its folder."
    ),
    baseline: Path | None = typer.Option(None, "--baseline", help="File of `roofmark pin`."),
    against: str | None = typer.Option(
        None, help="Git revision to measure side by side with the work tree."
    ),
    rev: str | None = typer.Option(None, help="With --against: this revision, not the work tree."),
    ratio: list[str] = typer.Option(
        [], help="Demand on a bundle's ratio of speeds, 'on/off>=1.3@8b*'; may be repeated."
    ),
    margin: float | None = typer.Option(
        None,
        help="Slow-down that must not pass, 0.03 for 3 %; without it derived from the pin, or "
        "the study's.",
    ),
    metric: str | None = typer.Option(
        None, help="speedup (over the study's baseline) or time; without it the pin's."
    ),
    workload: list[str] = typer.Option([], "-w", "--workload", help="Only these; * and ? match."),
    solution: list[str] = typer.Option([], "-s", "--solution", help="Only these; * and ? match."),
    alarm: float = typer.Option(0.02, help="How often unchanged code may fail the whole gate."),
    memory: bool = typer.Option(True, "--memory/--no-memory", help="Gate memory, too."),
    memory_margin: float = typer.Option(0.1, help="Growth of memory that passes, 0.1 for 10 %."),
    output: Path | None = typer.Option(
        None, "-o", "--output", help="With --against: folder of the bundle."
    ),
    device: str = typer.Option("auto", help="With --against: auto, cpu or cuda."),
    processes: str | None = typer.Option(
        None, help="With --against: fewest and most process sets, as 6:12."
    ),
    time_limit: float | None = typer.Option(
        None, help="With --against: seconds for the whole run."
    ),
    unchanged: bool = typer.Option(
        False, "--unchanged", help="With --against: measure also what did not change (A/A)."
    ),
    force: bool = typer.Option(
        False, "--force", help="With --against: delete the bundle that is in the way."
    ),
    junit: Path | None = typer.Option(None, help="Write JUnit XML to this file."),
    summary: Path | None = typer.Option(None, help="Append Markdown, as to $GITHUB_STEP_SUMMARY."),
    as_json: bool = typer.Option(False, "--json", help="Print the gate as JSON."),
) -> int:
    """Gate a change: 0 it passes, 1 it fails, 3 it cannot be decided."""
    growth = memory_margin if memory else None
    if against is not None:
        _refuse("--against", baseline=baseline, metric=metric, ratio=ratio)
        run = RunOptions(
            device=device_named(device),
            workloads=tuple(workload),
            solutions=tuple(solution),
            processes=process_range(processes),
            time_limit=time_limit,
            force=force,
        )
        options = AgainstOptions(
            run=run, revision=rev, margin=margin, alarm=alarm, unchanged=unchanged
        )
        gates = _against(target, against, output or free_folder(target), options, growth)
    else:
        given = {"rev": rev, "output": output, "processes": processes, "time_limit": time_limit}
        _refuse("a bundle alone", **given, unchanged=unchanged, force=force)
        from roofmark.analysis.gate import Ask

        ask = Ask(
            margin=margin,
            metric=metric_named(metric) if metric is not None else None,
            workloads=tuple(workload),
            solutions=tuple(solution),
            alarm=alarm,
        )
        gates = _bundle(target, baseline, ratio, ask, growth)
    return _tell(gates, junit, summary, as_json=as_json)


def _refuse(mode: str, **options: object) -> None:
    """Raises: BadParameter for options that a gate of this kind has no use for."""
    idle = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if idle:
        raise typer.BadParameter(f"{', '.join(idle)} cannot go with {mode}")


def _against(
    study: Path, revision: str, output: Path, options: AgainstOptions, growth: float | None
) -> "list[AnyGate]":
    """Measure side by side and gate; memory too where anything was measured."""
    from roofmark.bundle import open_bundle
    from roofmark.gating.against import gate_against, gate_memory_against

    try:
        with progress_bar() as show:
            gate = gate_against(study, revision, output, options=options, progress=show)
    except KeyboardInterrupt as error:
        raise Ended(error, "The same command goes on where it was.") from error
    if isinstance(gate.bundle, Missing):
        return [gate]
    say_wrote(output)
    memory = None if growth is None else gate_memory_against(open_bundle(output), margin=growth)
    return [gate, memory] if memory else [gate]


def _bundle(
    bundle: Path, baseline: Path | None, ratios: list[str], ask: "Ask", growth: float | None
) -> "list[AnyGate]":
    """Gate a bundle by a pin, by demands on ratios, or again by the sides that it holds."""
    from roofmark import gating
    from roofmark.bundle import open_bundle

    opened = open_bundle(bundle)
    gates: list[AnyGate] = []
    if baseline is not None:
        gates.append(gating.gate(opened, baseline, ask=ask))
        if growth is not None:
            memory = gating.gate_memory(opened, baseline, ask=ask, margin=growth)
            gates += [memory] if memory else []
    if ratios:
        gates.append(gating.gate_ratios(opened, ratios, alarm=ask.alarm))
    if baseline is None:
        kind = "--ratio" if ratios else "a bundle alone"
        filters = {"workload": ask.workloads, "solution": ask.solutions}
        _refuse(kind, **filters, margin=ask.margin, metric=ask.metric)
    return gates or _again(opened, growth)


def _again(bundle: "Bundle", growth: float | None) -> "list[AnyGate]":
    """Gate the two sides that a bundle of `--against` holds, as its run did."""
    from roofmark.analysis.paired_gate import gate_pairs, is_paired
    from roofmark.gating.against import gate_memory_against

    if not is_paired(bundle.study):
        raise typer.BadParameter("name a pin with --baseline, or demand a --ratio")
    memory = None if growth is None else gate_memory_against(bundle, margin=growth)
    return [gate_pairs(bundle), *([memory] if memory else [])]


def _tell(
    gates: "Sequence[AnyGate]", junit: Path | None, summary: Path | None, *, as_json: bool
) -> int:
    """Show the gates and return the exit code of the worst."""
    from roofmark.analysis.gated import together
    from roofmark.reports.gates import gate_text

    decision = together(gate.decision for gate in gates)
    if as_json:
        print_json({"decision": decision, "gates": list(gates)})
    else:
        typer.echo(plain(gate_text(gates)), nl=False)
    _write(gates, junit, summary)
    return {"pass": HOLDS, "fail": FAILS, "undecided": UNDECIDED}[decision]


def _write(gates: "Sequence[AnyGate]", junit: Path | None, summary: Path | None) -> None:
    """Write the pages; a CI job's own files are there to be replaced and appended to."""
    from roofmark.reports.gates import gate_junit, gate_markdown
    from roofmark.text_files import append_text, write_files

    if junit is not None:
        write_files(junit.parent, {junit.name: gate_junit(gates)}, force=True)
        say_wrote(junit)
    if summary is not None:
        append_text(summary, gate_markdown(gates))
        say_wrote(summary)
