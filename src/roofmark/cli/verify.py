"""`roofmark verify`: is every byte of a bundle what was sealed, and who vouches for it?"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from roofmark.bundle import Bundle, open_bundle, verify_bundle
from roofmark.bundle_files import SIGNATURES
from roofmark.cli import DAMAGED, HOLDS
from roofmark.cli.speak import print_json
from roofmark.records import Missing
from roofmark.terminal_text import plain_line

if TYPE_CHECKING:
    from roofmark.signing import Signed


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    signer: list[str] = typer.Option(
        [], help="One of these must have signed: a public key, a .pub or an allowed_signers file."
    ),
    verdict: Path | None = typer.Option(
        None, help="Judge again: is this (from `judge --json`) what follows from the bundle?"
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> int:
    """Check every byte of a bundle against its manifest, then who signed it."""
    wrong = verify_bundle(bundle)
    if wrong:
        if as_json:
            print_json({"intact": False, "digest": "", "wrong": wrong, "signatures": []})
        else:
            typer.echo("damaged:\n" + "\n".join(f"  {plain_line(each)}" for each in wrong))
        return DAMAGED
    opened = open_bundle(bundle)
    signatures = _signatures(opened, signer)
    if verdict is not None:
        from roofmark.signing import check_verdict

        check_verdict(opened, verdict, signatures)
    if as_json:
        found = {"intact": True, "digest": opened.digest, "wrong": wrong, "signatures": signatures}
        print_json(found | ({"verdict": "follows"} if verdict else {}))
        return HOLDS
    typer.echo(f"intact: {opened.digest}")
    for each in signatures:
        typer.echo(plain_line(_line(each)))
    if verdict is not None:
        typer.echo("the verdict follows from it")
    return HOLDS


def _signatures(bundle: Bundle, names: Sequence[str]) -> "tuple[Signed, ...]":
    """Return the signatures, checked; nothing is imported for a bundle that nobody signed."""
    if not names and not os.path.lexists(bundle.path / SIGNATURES):
        return ()
    from roofmark.signing import check_signatures, read_signers

    return check_signatures(bundle, [each for name in names for each in read_signers(name)])


def _line(signed: "Signed") -> str:
    who = signed.signer
    if isinstance(who, Missing):
        who = f"nobody you named ({who.reason})"
    cites = "" if isinstance(signed.said.verdict, Missing) else ", citing a verdict"
    return f"signed by {who}: {signed.key} at {signed.said.time}{cites}"
