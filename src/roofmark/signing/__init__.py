"""Signing: a bundle says what was measured, a signature says who vouches for it.

In: a sealed bundle, a key, perhaps the verdict that the signer read. Out: one more line in
`signatures.jsonl`, which stands beside the manifest and is not listed in it, so that a signature
leaves the seal as it is and any number of people can sign. The chain: the signature covers the
manifest's digest, the manifest every file (samples and logs by content, sources and builds by names
that are digests), the study its sources, the verdict's digest the verdict, which cites the bundle.
"""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from roofmark import __version__
from roofmark.analysis.verdict import Verdict
from roofmark.api import judge
from roofmark.bundle import Bundle, open_bundle
from roofmark.bundle_files import SIGNATURES, read_named, reason_of, sync_folder
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.records import Missing, decode, digest
from roofmark.signing.check import Signed, check_signatures, read_lines
from roofmark.signing.keys import fingerprint, public_line, read_private, read_signers
from roofmark.signing.statement import Measured, make_statement, seal_statement, signed_bytes

__all__ = ["Signed", "check_signatures", "check_verdict", "read_signers", "sign"]


def sign(
    bundle: str | Path,
    key: str | Path,
    *,
    verdict: str | Path | None = None,
    passphrase: Callable[[], bytes] = bytes,
) -> Signed:
    """Sign a bundle and return the signature; one that says the same is not made twice.

    key: file of an Ed25519 private key, PEM or OpenSSH. verdict: file that `roofmark judge --json`
    wrote, to be cited if it follows from the bundle. passphrase: asked for if the key is locked.
    Raises: BundleError as `open_bundle`, RM443 to RM447, RM408 when writing fails.
    """
    opened, private = open_bundle(bundle), read_private(Path(key), passphrase)
    public = private.public_key().public_bytes_raw()
    cited = digest(check_verdict(opened, verdict)) if verdict else _NONE
    there = check_signatures(opened)
    for each in there:
        if each.key == fingerprint(public) and each.said.verdict == cited:
            return each
    said = Measured(
        study=digest(opened.study),
        verdict=cited,
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        signer=public_line(public),
        roofmark=__version__,
    )
    payload = make_statement(opened.digest, said)
    name = fingerprint(public)
    _add(opened, seal_statement(payload, name, private.sign(signed_bytes(payload))))
    return Signed(key=name, signer=Missing(reason="it was just made"), said=said)


_NONE = Missing(reason="the signer cited none")


def check_verdict(bundle: Bundle, path: str | Path, signatures: tuple[Signed, ...] = ()) -> Verdict:
    """Judge a bundle again and return the verdict in a file if it is the same.

    signatures: those that cite a verdict must cite this one.
    Raises: BundleError RM447 for a verdict about another bundle, RM446 for one that differs.
    """
    try:
        found = decode(read_named(path), Verdict, where=Path(path))
    except OSError as error:
        fact = f"the verdict cannot be read: {reason_of(error)}"
        mend = "Name a file that `roofmark judge --json` wrote."
        raise BundleError(problem("RM446", fact, str(path), mend)) from error
    if found.bundle != bundle.digest:
        fact = f"the verdict is about bundle {found.bundle[:12]!r}, not {bundle.digest[:12]!r}"
        raise BundleError(problem("RM447", fact, str(path), "Name the verdict of this bundle."))
    again = judge(bundle)
    if again != found:
        differ = [n for n in Verdict.__struct_fields__ if getattr(again, n) != getattr(found, n)]
        fact = f"the verdict says otherwise in {', '.join(differ)}"
        raise BundleError(problem("RM446", fact, str(path), _judge_again(bundle)))
    own = digest(found)
    if others := [s.key for s in signatures if s.said.verdict not in (own, _NONE)]:
        fact = f"{', '.join(others)} signed for another verdict than this"
        raise BundleError(problem("RM446", fact, str(path), _judge_again(bundle)))
    return found


def _judge_again(bundle: Bundle) -> str:
    return (
        f"Judge it yourself: roofmark judge {bundle.path}. Another version of roofmark, or its "
        "plugins, may judge otherwise; the verdict names the plugins."
    )


def _add(bundle: Bundle, line: bytes) -> None:
    """Put a line behind those that are there, by one rename; two who sign wait for each other."""
    folder = bundle.path.resolve()
    target = folder / SIGNATURES
    partial = target.with_name(SIGNATURES + ".partial")
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            lines = [each + b"\n" for each in read_lines(bundle)]
            with partial.open("wb") as file:
                file.write(b"".join([*lines, line]))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
            sync_folder(folder)
        finally:
            os.close(handle)
    except OSError as error:
        mend = "Open the bundle's folder for writing, or sign a copy of it."
        fact = f"cannot write: {reason_of(error)}"
        raise BundleError(problem("RM408", fact, str(target), mend)) from error
