"""The commands' table: one module per command, imported here, run when chosen."""

import typer

from roofmark.cli import doctor, judge, new, report, rerun, rules, run, verify

app = typer.Typer(
    help="Evidence-grade benchmarking for GPU kernels and LLM decode.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (run, judge, report, verify, rerun, doctor, rules, new):
    name = module.__name__.rpartition(".")[2]
    app.command(name)(module.main)


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """Evidence-grade benchmarking for GPU kernels and LLM decode."""
    if show:
        from roofmark import __version__

        typer.echo(f"roofmark {__version__}")
        raise typer.Exit
