"""Nsight Compute's CSV: both forms, what ncu says around them, and what is no result."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark import records
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Imported, Partial, Profile, Profiles
from roofmark.importers import ncu_text, read_foreign
from roofmark.records import Missing

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(os.environ.get("ROOFMARK_CASES", ROOT.parent / "shared/cases"))
WHO = '"ID","Process ID","Process Name","Host Name","Kernel Name","Block Size","Grid Size",'
WIDE = f"""==PROF== Connected to process 7
the program's own words
{WHO}"gpu__time_duration.sum","sm__x"
"","","","","","","","us","%"
"0","7","p","h","k<1, 2>","(128, 1, 1)","(8, 4, 1)","1,234.5","12.5"
"1","7","p","h","k<1, 2>","(128, 1, 1)","(8, 4, 1)","2","nan"
==PROF== Disconnected
"""
LONG = f"""{WHO}"Section Name","Metric Name","Metric Unit","Metric Value","Rule Name"
"0","7","p","h","k","(1, 1, 1)","(2, 1, 1)","SOL","Duration","ns","1,760"
"0","7","p","h","k","(1, 1, 1)","(2, 1, 1)","SOL","Memory Throughput","%","1.09"
"0","7","p","h","k","(1, 1, 1)","(2, 1, 1)","MEM","Memory Throughput","byte/s","12"
"0","7","p","h","k","(1, 1, 1)","(2, 1, 1)","SOL","","","","SOLBottleneck"
"""


def _import(folder: Path, text: str) -> Imported:
    path = folder / "report.csv"
    path.write_bytes(text.encode())
    return read_foreign(path)


def _launches(found: Imported) -> tuple[Profile, ...]:
    (content,) = found.contents
    assert isinstance(content, Profiles)
    return content.launches


def test_the_wide_form(tmp_path: Path):
    found = _import(tmp_path, WIDE)
    first, second = _launches(found)
    assert (first.kernel, first.grid, first.block) == ("k<1, 2>", (8, 4, 1), (128, 1, 1))
    assert first.duration == pytest.approx(1234.5e-6)
    assert (first.metrics["sm__x"].value, first.metrics["sm__x"].unit) == (12.5, "%")
    assert isinstance(second.metrics["sm__x"].value, Missing)
    assert found.completeness == Complete()


def test_the_long_form_keeps_two_metrics_of_one_name_apart(tmp_path: Path):
    (launch,) = _launches(_import(tmp_path, LONG))
    assert launch.duration == pytest.approx(1.76e-6)
    assert launch.metrics["Memory Throughput"].value == 1.09
    assert launch.metrics["Memory Throughput [byte/s]"].value == 12
    assert len(launch.metrics) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("==ERROR== ERR_NVGPUCTRPERM - no permission\n", "ERR_NVGPUCTRPERM"),
        ("==PROF== Connected to process 7\n==PROF== Disconnected\n", "nothing"),
        ("".join(WIDE.splitlines(keepends=True)[:4]), "no launch"),
    ],
)
def test_a_capture_that_failed_is_no_result(tmp_path: Path, text: str, words: str):
    with pytest.raises(ImportFailed, match=words) as raised:
        _import(tmp_path, text)
    assert raised.value.code == "RM418"


def test_an_error_beside_rows_makes_the_report_partial(tmp_path: Path):
    found = _import(tmp_path, WIDE + "==ERROR== The application returned an error code (9).\n")
    assert isinstance(found.completeness, Partial) and "(9)" in found.completeness.reasons[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"1","7","p"', '"x","7","p"'),
        ('"12.5"\n', '"12.5","1"\n'),
        ('"gpu__time_duration.sum","sm__x"', '"sm__x","sm__x"'),
        ('"1,234.5","12.5"', '"1,234.5"'),
        ('"Kernel Name",', '"Kernel",'),
        ('"1","7","p"', '"1e300","7","p"'),
        ('"gpu__time_duration.sum",', '"gpu__time_duration.sum"x,'),
        ('"Process Name",', "Process\r Name,"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str):
    with pytest.raises(ImportFailed) as raised:
        _import(tmp_path, WIDE.replace(old, new))
    assert raised.value.code == "RM416"


@pytest.mark.parametrize("end", ['"2"', '"2","na', ""])
def test_a_file_that_ends_within_a_row_keeps_the_rows_before_it(tmp_path: Path, end: str):
    found = _import(tmp_path, WIDE[: WIDE.index('"2","nan"')] + end)
    assert [launch.launch for launch in _launches(found)] == [0]
    assert isinstance(found.completeness, Partial) and "ends in damage" in str(found.completeness)


def test_a_file_that_ends_within_its_first_row_is_damaged(tmp_path: Path):
    with pytest.raises(ImportFailed) as raised:
        _import(tmp_path, WIDE[: WIDE.index("1,234")])
    assert raised.value.code == "RM416"


@pytest.mark.parametrize("value", ["2,75", "1.760,5", "1.234.567", "0,123", "1 234,5"])
def test_decimal_commas_are_refused_not_multiplied(tmp_path: Path, value: str):
    with pytest.raises(ImportFailed, match=r"line 3.*decimal comma") as raised:
        _import(tmp_path, LONG.replace('"1.09"', f'"{value}"'))
    assert raised.value.code == "RM419"


def test_a_list_without_a_unit_is_text(tmp_path: Path):
    found = _import(tmp_path, LONG.replace('"%","1.09"', '"","0,1,2"'))
    assert _launches(found)[0].metrics["Memory Throughput"].value == "0,1,2"


@pytest.mark.parametrize(
    ("old", "new"),
    [('"Block Size","Grid Size",', '"Context","Stream",'), ('"ID","Process ID"', "ID,Process ID")],
)
def test_headers_of_older_versions_and_of_other_programs(tmp_path: Path, old: str, new: str):
    found = _import(tmp_path, WIDE.replace(old, new))
    assert _launches(found)[0].duration == pytest.approx(1234.5e-6)
    assert isinstance(_launches(found)[0].grid, Missing) == ("Context" in new)


def test_a_warning_about_absence_makes_it_partial_and_another_is_a_note(tmp_path: Path):
    backed = _import(tmp_path, "==WARNING== Backing up device memory in system memory.\n" + WIDE)
    assert backed.completeness == Complete() and "Backing up" in backed.notes[0]
    lost = _import(tmp_path, "==WARNING== Unable to access the following 6 metrics.\n" + WIDE)
    assert isinstance(lost.completeness, Partial)


def test_two_values_of_one_metric_are_told(tmp_path: Path):
    again = LONG.splitlines()[3].replace('"12"', '"13"')
    found = _import(tmp_path, LONG + again + "\n")
    assert isinstance(found.completeness, Partial) and "two values" in found.completeness.reasons[0]


def test_amounts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ncu_text, "MOST_METRICS", 3)
    with pytest.raises(ImportFailed) as raised:
        _import(tmp_path, WIDE)
    assert raised.value.code == "RM417"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_crashes_it(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    text = data.draw(st.sampled_from([WIDE, LONG]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    drawn = data.draw(st.text(max_size=8)).encode("utf-8", "replace")
    path.write_bytes(text[:start].encode() + drawn + text[end:].encode())
    try:
        records.encode(read_foreign(path, format="ncu_csv"))
    except ImportFailed as error:
        assert error.problems[0].mend


def test_what_ncu_wrote_on_an_h200():
    found = read_foreign(ROOT / "benchmarks/bounds/h200/panel.csv")
    launches = _launches(found)
    gemm = next(launch for launch in launches if launch.kernel.startswith("nvjet_sm90"))
    assert gemm.metrics["sm__throughput.avg.pct_of_peak_sustained_elapsed"].unit == "%"
    assert all(isinstance(launch.duration, float) for launch in launches)


@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
def test_the_text_of_a_failed_capture_does_not_pass_as_a_result():
    with pytest.raises(ImportFailed, match="Could not open report file"):
        read_foreign(CASES / "region-breakdown/phase_e_beta_ncu.csv")


def test_a_header_that_is_no_csv_is_damage(tmp_path: Path):
    with pytest.raises(ImportFailed, match="header"):
        _import(tmp_path, WIDE.replace('"sm__x"', '"sm\r__x"\r"'))
