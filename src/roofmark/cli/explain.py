"""`roofmark explain`: a verdict with what its bounds and findings mean."""

from pathlib import Path

import typer

from roofmark.cli.speak import exit_code_of, print_json


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    as_json: bool = typer.Option(False, "--json", help="Print it as JSON."),
) -> int:
    """Say what a bundle shows, what limits each solution, and what each finding means."""
    from roofmark import api
    from roofmark.reports.explained import explain_verdict
    from roofmark.terminal_text import plain

    verdict = api.judge(api.open_bundle(bundle))
    found = explain_verdict(verdict)
    if as_json:
        print_json(found)
    else:
        lines = [found.context, *found.answer, ""]
        lines += [f"{f.code} {f.solution} {f.workload}: {f.message}" for f in found.findings]
        for text in found.explanations.values():
            lines += ["", text]
        typer.echo(plain("\n".join(lines)))
    return exit_code_of(verdict)
