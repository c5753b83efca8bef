"""The manifest of a bundle: what its seal says of every file.

In: the bytes of manifest.json. Out: a `Manifest`, or an error that tells a newer format apart from
a damaged file.
"""

from pathlib import Path

from roofmark.bundle_errors import too_new
from roofmark.bundle_files import MANIFEST
from roofmark.records import FORMAT, Record, decode
from roofmark.units import Bytes


class Entry(Record):
    """What the manifest says of one file."""

    sha256: str
    bytes: Bytes


class Manifest(Record):
    """The seal: digest of every file, and which version wrote them."""

    format: int
    roofmark: str
    plugins: dict[str, str]
    files: dict[str, Entry]


class _AnyManifest(Record, forbid_unknown_fields=False):
    format: int
    roofmark: str


def decode_manifest(raw: bytes, path: Path) -> Manifest:
    """Return the manifest, telling a newer format apart from a damaged one."""
    loose = decode(raw, _AnyManifest, where=path / MANIFEST)
    if loose.format > FORMAT:
        raise too_new(path, loose.format, loose.roofmark)
    return decode(raw, Manifest, where=path / MANIFEST)
