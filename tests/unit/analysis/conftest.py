"""Put the sample studies on the path of these tests, and read foreign files from text."""

import sys
from pathlib import Path

import pytest

from roofmark.importers import read_foreign

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def read(tmp_path):
    """Return a function: text -> what an importer reads in a file of it."""

    def write(text, name="a"):
        path = tmp_path / name
        path.write_text(text)
        return read_foreign(path)

    return write
