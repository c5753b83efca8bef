"""Keys: Ed25519, as OpenSSH and OpenSSL write them, and lists of whom to believe.

In: files that the user names. Out: a private key that signs, or `Signer`s, whose keys verify. Keys
are never made, kept or sent by roofmark. `cryptography` does the arithmetic.
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.bundle_files import read_named, reason_of
from roofmark.codes import problem
from roofmark.errors import BundleError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KIND = "ssh-ed25519"
NAMESPACE = "roofmark"
# Chosen: a list of a thousand signers has a tenth of it.
_LARGEST = 1 << 20
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_OPTION = re.compile(r'([a-z-]+)(?:="([^"]*)")?(?:,|\Z)')
# Source: ssh-keygen(1), ALLOWED SIGNERS.
_DATES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_DURATION = ("valid-after", "valid-before")


@dataclass(frozen=True)
class Signer:
    """Somebody to believe: a name, a public key of 32 bytes, and from when to when."""

    name: str
    key: bytes
    after: datetime | None = None
    before: datetime | None = None

    def vouches_at(self, time: datetime) -> bool:
        """Return whether the key was to be believed at that time."""
        return not (self.after and time < self.after) and not (self.before and time >= self.before)


def fingerprint(key: bytes) -> str:
    """Return a public key's fingerprint as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(_wire(key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def public_line(key: bytes) -> str:
    """Return a public key as OpenSSH writes it."""
    return f"{KIND} {base64.b64encode(_wire(key)).decode()}"


def read_private(path: Path, passphrase: Callable[[], bytes]) -> "Ed25519PrivateKey":
    """Return the key in a PEM or OpenSSH file. passphrase: asked for if the key is locked.

    Raises: BundleError RM445.
    """
    need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read(path)
    try:
        key = _unlocked(data, None)
    except TypeError:
        key = _opened(data, passphrase(), path)
    except Exception as error:
        raise _unusable(f"no private key: {_first(error)}", str(path)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(f"a key of another kind: {type(key).__name__.strip('_')}", str(path))
    return key


def _opened(data: bytes, passphrase: bytes, path: Path) -> object:
    try:
        return _unlocked(data, passphrase)
    # The library has an error of its own for each format; bcrypt unlocks keys of OpenSSH.
    except Exception as error:
        if "bcrypt" in str(error):
            raise _lacking("bcrypt") from error
        raise _unusable(f"the key stays locked: {_first(error)}", str(path)) from error


def _unlocked(data: bytes, passphrase: bytes | None) -> object:
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_ssh_private_key,
    )

    is_openssh = b"BEGIN OPENSSH PRIVATE KEY" in data[:200]
    return (load_ssh_private_key if is_openssh else load_pem_private_key)(data, passphrase)


def read_signers(text: str) -> tuple[Signer, ...]:
    """Return whom a --signer names: a public key itself, or a file of one or of allowed signers.

    Raises: BundleError RM445.
    """
    if text.startswith(KIND + " "):
        return (_signer_of(text, text[:40]),)
    data = _read(Path(text))
    if b"BEGIN PUBLIC KEY" in data[:200]:
        return (_pem_signer(data, text),)
    lines = data.decode("utf-8", "replace").splitlines()
    kept = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and line.strip()[0] != "#"]
    if not kept:
        raise _unusable("it names nobody", text)
    return tuple(_signer_of(line, f"{text}:{n}") for n, line in kept)


def _signer_of(line: str, where: str) -> Signer:
    """Read "KIND KEY [NAME]" or "NAMES [OPTIONS] KIND KEY [COMMENT]"."""
    words = _WORD.findall(line)
    at = next((i for i, word in enumerate(words) if word.startswith(("ssh-", "sk-", "ecdsa-"))), -1)
    if at < 0 or at > 2 or at + 1 >= len(words):
        raise _unusable("no public key stands in this line", where)
    if words[at] != KIND:
        raise _unusable(f"a key of the kind {words[at]!r:.40}", where)
    key = _raw(words[at + 1], where)
    if at == 0:
        return Signer(" ".join(words[2:]) or fingerprint(key), key)
    return _limited(Signer(words[0].strip('"'), key), words[1] if at == 2 else "", where)


def _limited(signer: Signer, options: str, where: str) -> Signer:
    """Apply the options of a line. Raises: BundleError RM445 for one that is not understood."""
    found = {name.lower(): value for name, value in _OPTION.findall(options)}
    if _OPTION.sub("", options) or not found.keys() <= {"namespaces", *_DURATION}:
        raise _unusable(f"options {options!r:.80} are not understood", where)
    if NAMESPACE not in found.get("namespaces", NAMESPACE).split(","):
        fact = f"this key signs for {found['namespaces']!r:.60}, not for {NAMESPACE!r}"
        raise _unusable(fact, where)
    after, before = (_date(found[name], where) if name in found else None for name in _DURATION)
    return Signer(signer.name, signer.key, after, before)


def _date(text: str, where: str) -> datetime:
    bare = text.removesuffix("Z")
    try:
        return datetime.strptime(bare, _DATES[len(bare)]).replace(tzinfo=UTC)
    except (KeyError, ValueError) as error:
        raise _unusable(f"no date: {text!r:.40}", where) from error


def _raw(text: str, where: str) -> bytes:
    """Return the 32 bytes of a key in OpenSSH's wire format."""
    try:
        wire = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unusable(f"no base64: {error}", where) from error
    key = wire[-32:]
    if wire != _wire(key):
        raise _unusable("no Ed25519 key", where)
    return key


def _pem_signer(data: bytes, where: str) -> Signer:
    need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except Exception as error:
        raise _unusable(f"no public key: {_first(error)}", where) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(f"a key of another kind: {type(key).__name__.strip('_')}", where)
    raw = key.public_bytes_raw()
    return Signer(fingerprint(raw), raw)


def raw_of(line: str) -> bytes:
    """Return the key that a statement carries. Raises: BundleError RM445."""
    return _signer_of(line, "the statement").key


def need_cryptography() -> None:
    """Check that the library is there. Raises: BundleError RM445."""
    if find_spec("cryptography") is None:
        raise _lacking("cryptography")


def _lacking(package: str) -> BundleError:
    mend = 'Install it: pip install "roofmark[sign]".'
    return BundleError(problem("RM445", f"the package {package} is not installed", "keys", mend))


def _wire(key: bytes) -> bytes:
    parts = (KIND.encode(), key)
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _read(path: Path) -> bytes:
    try:
        data = read_named(path)
    except OSError as error:
        raise _unusable(f"it cannot be read: {reason_of(error)}", str(path)) from error
    if len(data) > _LARGEST:
        raise _unusable(f"{len(data)} bytes are no key", str(path))
    return data


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _unusable(fact: str, where: str) -> BundleError:
    mend = (
        "Name an Ed25519 key: `ssh-keygen -t ed25519` makes one, its .pub or a line in an "
        "allowed_signers file names its owner."
    )
    return BundleError(problem("RM445", fact, where, mend))
