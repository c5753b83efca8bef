"""`roofmark query`: SQL over the bundles of a folder."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import no_search_for_cycles, print_json, progress_bar, say
from roofmark.terminal_text import plain, quiet_json

if TYPE_CHECKING:
    from roofmark.querying import Answer


def main(
    sql: str = typer.Argument("", help="One SELECT; --schema shows the tables."),
    folder: str = typer.Argument(".", help="A folder of bundles, or an address (s3://...)."),
    schema: bool = typer.Option(False, "--schema", help="Print tables and columns, and end."),
    as_csv: bool = typer.Option(False, "--csv", help="Print every row as CSV."),
    as_json: bool = typer.Option(False, "--json", help="Print every row as JSON."),
) -> int:
    """Ask bundles in SQL: tables studies, traces, samples, kernels, verdicts, findings."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other")
    if schema:
        return _schema(as_json=as_json)
    if not sql.strip():
        raise typer.BadParameter("there is no SQL; --schema shows what can be asked")
    from roofmark.querying import query

    with ExitStack() as stack:
        with progress_bar() as show, no_search_for_cycles():
            answer = stack.enter_context(query(sql, folder, say=show))
        _print(answer, as_csv=as_csv, as_json=as_json)
    return HOLDS


def _schema(*, as_json: bool) -> int:
    from roofmark.querying.schema import TABLES, schema_text

    if as_json:
        print_json(
            {
                name: {"about": table.about, "columns": [each._asdict() for each in table.columns]}
                for name, table in TABLES.items()
            }
        )
    else:
        typer.echo(schema_text(), nl=False)
    return HOLDS


def _print(answer: "Answer", *, as_csv: bool, as_json: bool) -> None:
    from roofmark.reports import query_answers as answers

    if answer.damaged and not as_json:
        say(answers.damaged_text(answer.damaged))
    if as_csv:
        sys.stdout.writelines(answers.answer_csv(answer.columns, answer.rows))
    elif as_json:
        pieces = answers.answer_json(answer.columns, answer.rows, answer.damaged)
        sys.stdout.writelines(map(quiet_json, pieces))
    else:
        typer.echo(plain(answers.answer_text(answer.columns, answer.rows)), nl=False)
