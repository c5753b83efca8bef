"""Writes docs/reference/ from the code, so that it cannot say something else.

In: the commands, the rules, the table of errors, the tables of queries, public names, records. Out:
a page for each and their index; a test compares the files with what this gives. Run as
`python -m roofmark.cli.reference docs/reference`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roofmark.cli.reference_code import api_page, schema_page
from roofmark.codes import ERRORS
from roofmark.querying.schema import schema_page as query_page

_NOTE = "<!-- Written by `make docs` from the code; change the code, not this page. -->"


def render_reference() -> dict[str, str]:
    """Return file name -> page."""
    pages = {
        "cli.md": _commands(),
        "rules.md": _rules(),
        "errors.md": _errors(),
        "query.md": query_page(),
        "api.md": api_page(),
        "schema.md": schema_page(),
        "index.md": _index(),
    }
    return {name: "\n".join([_NOTE, "", *lines]).rstrip() + "\n" for name, lines in pages.items()}


def write_reference(folder: Path) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render_reference().items():
        (folder / name).write_text(text, encoding="utf-8")


def _index() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Made from the code, so it says what this version does."
    yield ""
    yield "- [Commands](cli.md): every command and option, and the exit codes"
    yield "- [Python](api.md): every public name"
    yield "- [Records and bundles](schema.md): every file of a bundle, field by field"
    yield "- [Rules](rules.md): what is looked for in evidence, and what a finding does"
    yield "- [Errors](errors.md): every code that is raised"
    yield "- [Queries](query.md): tables and columns of `roofmark query`"


def _commands() -> Iterator[str]:
    from typer.main import get_command

    from roofmark.cli.app import app

    group: Any = get_command(app)
    yield "# Commands"
    yield ""
    yield "Data goes to stdout, talk to stderr; with `--json` errors are JSON on stderr."
    yield "Exit codes: 0 the claim holds, 1 it does not, 2 usage or study, 3 undecided,"
    yield "4 evidence damaged, 70 a defect of roofmark, 130 interrupted. Where nothing is claimed:"
    yield "0 all is decided and no solution is slower, 1 one is slower or invalid, 3 something is"
    yield "undecided; 1 is an answer, then, and no failure of the command."
    for name, command in group.commands.items():
        yield from ("", f"## roofmark {name}", "", str(command.help), "")
        yield from ("| | |", "|---|---|")
        for parameter in command.params:
            if parameter.name != "help":
                yield _parameter(parameter)


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        label = parameter.name.upper()
        shown = label if parameter.required else f"[{label}]"
    else:
        shown = ", ".join([*parameter.opts, *parameter.secondary_opts])
    # Lists and switches say by their form what they are without a value.
    plain = parameter.default is not None and isinstance(parameter.default, str | int | float)
    default = "" if not plain or isinstance(parameter.default, bool) else parameter.default
    return f"| `{shown}` | {parameter.help}{f' Default: {default}.' if default else ''} |"


def _rules() -> Iterator[str]:
    from roofmark.analysis.rules import all_rules

    yield "# Rules"
    yield ""
    yield "What is looked for in every bundle, and what a finding does to the verdict."
    for rule in all_rules():
        if not rule.ask.__module__.startswith("roofmark."):
            continue  # A plugin that happens to be installed here documents itself.
        effect = f"makes the verdict {rule.moves}" if rule.moves else "informs"
        yield from ("", f"## {rule.code}: {rule.title}", "")
        yield f"Per {rule.per}, on {' and '.join(rule.devices)}; {effect}."
        yield from ("", rule.documentation)


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "What is raised rather than found. An error says the fact with its value, where it is,"
    yield "what it means and what to do."
    yield from ("", "| code | title | meaning |", "|---|---|---|")
    for code, (title, meaning) in sorted(ERRORS.items()):
        yield f"| {code} | {title} | {meaning} |"


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
