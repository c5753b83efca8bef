"""The commands' table: one module per command, imported here, run when chosen."""

import functools
from collections.abc import Callable

import typer

from roofmark.cli import (
    Ended,
    accuracy,
    amdahl,
    ask,
    cite,
    compare,
    degenerate,
    demo,
    describe,
    doctor,
    explain,
    export,
    gate,
    import_,
    judge,
    log,
    loop,
    mcp,
    new,
    pin,
    pr,
    profile,
    query,
    report,
    rerun,
    rules,
    run,
    sign,
    try_,
    verify,
    view,
)

app = typer.Typer(
    help="Evidence-grade benchmarking for GPU kernels and LLM decode.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _guarded(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command with Ctrl-C and a closed pipe carried out to `main`."""

    @functools.wraps(command)
    def guarded(*args: object, **options: object) -> int:
        try:
            return command(*args, **options)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise Ended(error) from error

    return guarded


_COMMANDS = (
    demo, run, judge, report, verify, rerun, profile, doctor, rules, new, import_, export,
    cite, pin, gate, compare, log, query, view, accuracy, degenerate, loop, sign, amdahl, ask,
    describe, try_, explain, mcp, pr,
)  # fmt: skip

for module in _COMMANDS:
    app.command(module.__name__.rpartition(".")[2].rstrip("_"))(_guarded(module.main))


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """Evidence-grade benchmarking for GPU kernels and LLM decode."""
    if show:
        from roofmark import __version__

        typer.echo(f"roofmark {__version__}")
        raise typer.Exit
