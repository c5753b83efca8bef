"""Scratch folders go with their run, or with the next one."""

import os
import tempfile

import pytest

from roofmark.bench.scratch import open_scratch


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def nest(folder, depth=1500):
    """Make folders in each other, deeper than Python recurses and than a path may be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)


def test_a_folder_goes_with_its_run(place):
    with open_scratch() as scratch:
        (scratch / "file").write_text("x")
    assert not any(place.iterdir())


def test_folders_in_each_other_without_end_go_too(place):
    with open_scratch() as scratch:
        nest(scratch)
    assert not any(place.iterdir())


def test_what_a_killed_run_left_goes_with_the_next(place):
    left = place / "roofmark-run-left"
    left.mkdir()
    nest(left)
    os.utime(left, (1, 1))
    with open_scratch() as scratch:
        assert [each.name for each in place.iterdir()] == [scratch.name]
