"""`roofmark sign`: vouch for a bundle with a key."""

import getpass
import os
import sys
from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json, say, say_wrote

# Read where nobody can be asked, as in a CI job.
PASSPHRASE = "ROOFMARK_KEY_PASSPHRASE"


def main(
    bundle: Path = typer.Argument(..., help="Folder of a sealed bundle."),
    key: Path = typer.Option(..., "--key", help="Ed25519 private key, PEM or OpenSSH."),
    verdict: Path | None = typer.Option(
        None, help="Cite this verdict (from `judge --json`) if it follows from the bundle."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the signature as JSON."),
) -> int:
    """Sign a bundle: the seal stays as it is, and several people can sign."""
    from roofmark.bundle_files import SIGNATURES
    from roofmark.signing import sign

    made = sign(bundle, key, verdict=verdict, passphrase=_ask)
    if as_json:
        print_json(made)
    say(f"signed by {made.key} at {made.said.time}")
    say_wrote(bundle / SIGNATURES)
    return HOLDS


def _ask() -> bytes:
    """Return the passphrase, from the environment or from the terminal."""
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return given.encode()
    return getpass.getpass("passphrase of the key: ").encode() if sys.stdin.isatty() else b""
