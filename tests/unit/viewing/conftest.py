"""A folder as people have it: bundles, a copy, damage, a link, runs underway, a loop."""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="session")
def sealed(tmp_path_factory):
    """Four bundles, made once: three of one study and its copy."""
    from scenes import write_sealed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        return write_sealed(tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """An index that all tests share, as those of one person do."""
    return tmp_path_factory.mktemp("index")


@pytest.fixture
def folder(sealed, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(sealed, tmp_path / "runs", symlinks=True)
    return tmp_path / "runs"


@pytest.fixture
def viewer(folder, cache):
    """Return a function: a folder -> a client of its pages, when all is judged."""
    from scenes import open_viewer

    opened = []

    def view(place=folder):
        shelf, client = open_viewer(place, cache)
        opened.append(shelf)
        return client

    yield view
    for each in opened:
        each.stop()
