"""Regions inside a kernel: what does not add up is said, whatever its shares promise."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import read_foreign

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)
TEXT = "region,mean_us,frac_of_kernel\nload,30,0.3\nmath,68,0.68\nwait,500,\n"


def _read(folder: Path, text: str):
    path = folder / "r.csv"
    path.write_text(text)
    return read_foreign(path)


def test_regions_that_make_a_whole(tmp_path: Path):
    found = _read(tmp_path, TEXT)
    assert found.completeness == Complete() and "wait" in found.notes[-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            TEXT.replace("math,68,0.68", "math,20,0.2"),
            "add up to 50.00 µs of the kernel's 100.0 µs",
        ),
        (TEXT.replace("68,0.68", "68,0.34"), "not of one kernel"),
    ],
)
def test_regions_that_make_no_whole(tmp_path: Path, text: str, words: str):
    found = _read(tmp_path, text).completeness
    assert isinstance(found, Partial) and any(words in reason for reason in found.reasons)


@pytest.mark.parametrize("text", [TEXT.replace("30", "x"), TEXT.splitlines()[0] + "\n"])
def test_what_is_no_table_of_regions_is_refused(tmp_path: Path, text: str):
    with pytest.raises(ImportFailed):
        _read(tmp_path, text)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_crashes_it(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    start = data.draw(st.integers(0, len(TEXT)))
    end = data.draw(st.integers(start, min(len(TEXT), start + 20)))
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_text(TEXT[:start] + data.draw(st.text(max_size=8)) + TEXT[end:])
    try:
        read_foreign(path, format="region_csv")
    except ImportFailed as error:
        assert error.problems[0].mend


@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
def test_a_published_breakdown_does_not_add_up():
    found = read_foreign(CASES / "region-breakdown/region_breakdown.csv").completeness
    assert isinstance(found, Partial)
    assert "14.88 ms of the kernel's 40.64 ms" in found.reasons[0]
