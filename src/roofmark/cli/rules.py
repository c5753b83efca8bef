"""`roofmark rules`: every code explained."""

import difflib
import json

import typer

from roofmark.cli import HOLDS, USAGE
from roofmark.cli.speak import say
from roofmark.codes import ERRORS


def main(
    code: str | None = typer.Argument(None, help="A code such as RM301; none lists all."),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> int:
    """List every rule and error code, or explain one."""
    from roofmark.analysis.rules import all_rules, explain

    titles = {rule.code: rule.title for rule in all_rules()}
    titles |= {name: title for name, (title, _) in ERRORS.items()}
    if code is None:
        listing = dict(sorted(titles.items()))
        lines = "\n".join(f"{name}  {title}" for name, title in listing.items())
        typer.echo(json.dumps(listing, indent=1) if as_json else lines)
        return HOLDS
    code = code.upper()
    if code not in titles:
        near = difflib.get_close_matches(code, titles, n=3) or ["`roofmark rules` lists all"]
        say(f"no code {code!r}; near it: {', '.join(near)}")
        return USAGE
    text = f"{code}: {ERRORS[code][0]}\n\n{ERRORS[code][1]}" if code in ERRORS else explain(code)
    typer.echo(json.dumps({"code": code, "text": text}, indent=1) if as_json else text)
    return HOLDS
