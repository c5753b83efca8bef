"""What tests of importers share: writing a file, reading it, and real files where they are."""

import os
from pathlib import Path

import pytest

from roofmark import records
from roofmark.errors import ImportFailed
from roofmark.foreign import Figures, Imported, Series
from roofmark.importers import read_foreign
from roofmark.importers.source import HEAD_BYTES, Declared, ForeignFile

CASES = Path(os.environ.get("ROOFMARK_CASES", Path(__file__).parents[4] / "shared" / "cases"))


def case(name: str) -> Path:
    """Return a real file, or skip the test where it is absent."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"no {name} here")
    return path


def write(folder: Path, content: str | bytes, name: str = "foreign") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_as(format: str, path: Path) -> Imported:
    """Read a file whose bytes alone must tell the format, and what was read must be storable."""
    found = read_foreign(path)
    assert found.source.format == format
    records.encode(found)
    return found


def figures(found: Imported) -> list[Figures]:
    return [content for content in found.contents if isinstance(content, Figures)]


def series(found: Imported) -> list[Series]:
    return [content for content in found.contents if isinstance(content, Series)]


def values(found: Imported) -> dict[str, tuple[float, str]]:
    return {f.label: (f.value, f.unit) for group in figures(found) for f in group.figures}


def never_breaks(module, path: Path, content: bytes) -> None:
    """Only ImportFailed may leave an importer, and what it returns must be storable."""
    path.write_bytes(content)
    module.recognises(content[:HEAD_BYTES])
    try:
        found = module.read(ForeignFile(path, Declared()))
    except ImportFailed:
        return
    records.encode(found)
