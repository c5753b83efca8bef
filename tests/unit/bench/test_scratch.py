"""Temporary folders go, whatever a candidate left in them."""

import os
import tempfile
from pathlib import Path

import pytest

from roofmark.bench.scratch import open_scratch


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _nest(folder: Path, depth: int) -> None:
    """Nest folders deeper than any path may be long; a file in each."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_CREAT, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)


def test_what_is_nested_without_end_goes(place: Path) -> None:
    with open_scratch() as scratch:
        _nest(scratch, 1100)
        (scratch / "closed").mkdir(mode=0)
        (scratch / "link").symlink_to(place)
    assert list(place.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next(place: Path) -> None:
    left = place / "roofmark-run-killed"
    left.mkdir()
    _nest(left, 1100)
    os.utime(left, (0, 0))
    with open_scratch() as scratch:
        assert list(place.iterdir()) == [scratch]
        os.utime(scratch, (0, 0))
        with open_scratch():
            assert scratch.is_dir(), "it is in use"


def test_a_scratch_that_was_removed_is_no_error(place: Path) -> None:
    with open_scratch() as scratch:
        scratch.rmdir()
    assert list(place.iterdir()) == []
