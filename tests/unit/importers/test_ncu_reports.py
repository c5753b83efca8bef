"""Nsight Compute's report file and its text page."""

import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark import records
from roofmark.analysis.bounds import classify, loads_of_profile
from roofmark.analysis.verdict import Bound
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Imported, Partial, Profile, Profiles
from roofmark.importers import read_foreign
from roofmark.importers.ncu_rep import unit_of
from roofmark.records import Missing

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)
REAL = pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")


def _launches(found: Imported) -> tuple[Profile, ...]:
    (content,) = found.contents
    assert isinstance(content, Profiles)
    return content.launches


# --- a report is written as the tool writes one ---------------------------------------------------
def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _field(number: int, value: int | bytes | float) -> bytes:
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _sized(message: bytes) -> bytes:
    return struct.pack("<I", len(message)) + message


def _block(names: list[str], results: list[bytes], *, source: bytes = b"") -> bytes:
    sources = [source] if source else []
    payload = b"".join(map(_sized, [*sources, *results]))
    table = b"".join(_field(1, name.encode()) for name in names)
    header = _field(1, len(sources)) + _field(2, len(results)) + _field(4, table)
    return _sized(header + _field(5, len(payload))) + payload


def _result(kernel: str, metrics: dict[int, int | bytes | float]) -> bytes:
    sizes = [
        b"".join(_field(i + 1, n) for i, n in enumerate(three))
        for three in ((8, 4, 1), (128, 1, 1))
    ]
    parts = _field(6, kernel.encode()) + _field(10, sizes[0]) + _field(11, sizes[1])
    for name, value in metrics.items():
        kind = 1 if isinstance(value, bytes) else 3 if isinstance(value, float) else 5
        parts += _field(13, _field(1, name) + _field(2, _field(kind, value)) + _field(4, 0))
    return parts


NAMES = ["", "gpu__time_duration.sum", "sm__throughput.avg.pct_of_peak_sustained_elapsed", "device"]
REPORT = (
    b"NVR\x00"
    + _sized(_field(1, 7))
    + _block([], [])
    + _block([], [], source=b"\x00" * 40)
    + _block(NAMES, [_result("k<1>", {1: 14_818_000, 2: 8.06, 3: b"GB10"})])
    # The next block has no table of its own: names are numbered through the file.
    + _block([], [_result("k<2>", {1: 2_000.0, 2: float("nan")})])
)


def _report(folder: Path, data: bytes) -> Path:
    path = folder / "r.ncu-rep"
    path.write_bytes(data)
    return path


def test_a_report_gives_kernels_sizes_and_every_metric(tmp_path: Path):
    found = read_foreign(_report(tmp_path, REPORT))
    first, second = _launches(found)
    assert (first.kernel, first.grid, first.block) == ("k<1>", (8, 4, 1), (128, 1, 1))
    assert first.duration == pytest.approx(14.818e-3)
    assert first.metrics[NAMES[2]].value == 8.06 and first.metrics[NAMES[2]].unit == "%"
    assert first.metrics["device"].value == "GB10"
    assert isinstance(second.metrics[NAMES[2]].value, Missing)
    assert found.completeness == Complete()


def test_a_cut_report_keeps_whole_launches_and_says_so(tmp_path: Path):
    found = read_foreign(_report(tmp_path, REPORT[:-5]))
    assert (
        isinstance(found.completeness, Partial)
        and "after 1 launch" in found.completeness.reasons[0]
    )


def test_a_report_tells_its_tool_s_version(tmp_path: Path):
    told = _field(1, b"Nsight Compute Target") + _field(2, b"2026.1.0.0 (build 1) (public-release)")
    found = read_foreign(
        _report(tmp_path, REPORT + _sized(_field(3, _field(8, told)) + _field(5, 0)))
    )
    assert found.source.tool == "Nsight Compute 2026.1.0.0"


HEAD = b"NVR\x00" + _sized(_field(1, 7))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_sized(_field(2, 300_000) + _field(5, 1_200_000)) + bytes(1_200_000), "RM417"),
        (_sized(_field(4, b"\x0a\x00" * 1_000_001)), "RM416"),
        (_sized(b"\x08\x01" * 1_000_001), "RM416"),
        (_block(NAMES, [_field(6, b"k") + _field(10, _field(1, 1 << 69))]), "RM416"),
        (_block(NAMES, [_field(6, b"k") + _field(13, _field(1, 4))]), "RM416"),
    ],
)
def test_a_report_made_to_exhaust_is_refused(tmp_path: Path, data: bytes, code: str):
    with pytest.raises(ImportFailed) as raised:
        read_foreign(_report(tmp_path, HEAD + data))
    assert raised.value.code == code


def test_units_that_names_tell_are_those_that_the_tool_prints():
    panel = Path(__file__).resolve().parents[3] / "benchmarks/bounds/h200/panel.csv"
    for launch in _launches(read_foreign(panel)):
        for name, metric in launch.metrics.items():
            inferred = unit_of(name)
            assert inferred == metric.unit or (not inferred and metric.unit not in ("%", "ns"))


@pytest.mark.parametrize("keep", [4, 7, 9, 40])
def test_a_report_without_a_launch_is_no_result(tmp_path: Path, keep: int):
    with pytest.raises(ImportFailed) as raised:
        read_foreign(_report(tmp_path, REPORT[:keep]))
    assert raised.value.code in ("RM416", "RM418")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_crashes_a_report(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    start = data.draw(st.integers(0, len(REPORT)))
    end = data.draw(st.integers(start, min(len(REPORT), start + 20)))
    path = tmp_path_factory.getbasetemp() / "fuzz.ncu-rep"
    path.write_bytes(REPORT[:start] + data.draw(st.binary(max_size=12)) + REPORT[end:])
    try:
        records.encode(read_foreign(path, format="ncu_rep"))
    except ImportFailed as error:
        assert error.problems[0].mend


# --- the text page -------------------------------------------------------------------------------
PAGE = """==PROF== Connected to process 7 (/usr/bin/python3)
==PROF== Profiling "k" - 0 (1/1): 0%....50%....100% - 10 passes
  void k<16>(const float *, int) (1024, 1, 1)x(128, 1, 1), Context 1, Stream 7, Device 0, CC 9.0
    Section: GPU Speed Of Light Throughput
    ----------------------- ----------- ------------
    Metric Name             Metric Unit Metric Value
    ----------------------- ----------- ------------
    Memory Throughput                 %        28.44
    DRAM Throughput                   %          n/a
    Duration                         us        33.89
    Elapsed Cycles                cycle       38,436
    ----------------------- ----------- ------------

    OPT   The grid is too small: 100 % of it (1, 1, 1)x(2, 2, 2), Context 9
    Section: Memory Workload Analysis
    ---------------------------------------- ------------- ------------
    Metric Name                                Metric Unit Metric Value
    ---------------------------------------- ------------- ------------
    Memory Throughput                        Tbyte/s               1.57
    Function Cache Configuration                        CachePreferNone
    ---------------------------------------- ------------- ------------
"""


def _page(folder: Path, text: str) -> Imported:
    path = folder / "page.txt"
    path.write_text(text)
    return read_foreign(path)


def test_the_text_page(tmp_path: Path):
    found = _page(tmp_path, PAGE)
    (launch,) = _launches(found)
    assert launch.kernel == "void k<16>(const float *, int)" and launch.grid == (1024, 1, 1)
    assert launch.duration == pytest.approx(33.89e-6)
    assert launch.metrics["Elapsed Cycles"].value == 38436
    assert isinstance(launch.metrics["DRAM Throughput"].value, Missing)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("==PROF== Connected to process 7\n==PROF== Disconnected\n", "profiled nothing"),
        ('==PROF== Profiling "k" - 0 (1/9): 0%....', "stopped at"),
        ("==PROF== Creating report from application replay data: 0%....", "stopped at: Creating"),
        ("==PROF== Profiling x\n==ERROR== ERR_NVGPUCTRPERM\n", "ERR_NVGPUCTRPERM"),
        ("==PROF== Report: /home/someone/k.ncu-rep\n", "report itself: k.ncu-rep"),
    ],
)
def test_a_log_without_a_table_is_no_result(tmp_path: Path, text: str, words: str):
    with pytest.raises(ImportFailed, match=words) as raised:
        _page(tmp_path, text)
    assert raised.value.code == "RM418"


def test_a_page_whose_profiling_stopped_is_partial(tmp_path: Path):
    found = _page(tmp_path, PAGE + '==PROF== Profiling "next" - 1 (2/9): 0%....\n')
    assert isinstance(found.completeness, Partial)


OLD_RULE = f"    {'-' * 30} {'-' * 15} {'-' * 30}\n"
OLD_PAGE = f"""==PROF== Profiling "add" - 1: 0%....50%....100% - 1 pass
[6] add@127.0.0.1
  add(int*, int), 2021-Mar-29 21:11:57, Context 1, Stream 7
    Section: GPU Speed Of Light
{OLD_RULE}    DRAM Frequency                   cycle/nsecond                           1.11
    Duration                               usecond                          12.50
{OLD_RULE}    WRN   The kernel is too small:     1.23 of them                           5.00
"""


def test_the_text_page_of_older_versions(tmp_path: Path):
    found = _page(tmp_path, OLD_PAGE)
    (launch,) = _launches(found)
    assert launch.kernel == "add(int*, int)" and isinstance(launch.grid, Missing)
    assert launch.duration == pytest.approx(12.5e-6)
    assert set(launch.metrics) == {"DRAM Frequency", "Duration"}
    assert found.completeness == Complete()


@pytest.mark.parametrize("at", ["    Duration  ", "    Elapsed Cycles", "    Metric Name  "])
def test_a_page_cut_inside_a_table_is_partial(tmp_path: Path, at: str):
    found = _page(tmp_path, PAGE[: PAGE.index(at)])
    assert isinstance(found.completeness, Partial)
    assert "does not end" in found.completeness.reasons[0]


def test_a_page_with_decimal_commas_is_refused(tmp_path: Path):
    with pytest.raises(ImportFailed, match="decimal comma") as raised:
        _page(tmp_path, PAGE.replace("28.44", "28,44"))
    assert raised.value.code == "RM419"


def test_a_page_tells_which_metrics_were_not_to_be_had(tmp_path: Path):
    found = _page(tmp_path, "==WARNING== Unable to access the following 6 metrics.\n" + PAGE)
    assert isinstance(found.completeness, Partial)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_crashes_a_page(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    start = data.draw(st.integers(0, len(PAGE)))
    end = data.draw(st.integers(start, min(len(PAGE), start + 60)))
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    path.write_text(PAGE[:start] + data.draw(st.text(max_size=8)) + PAGE[end:])
    try:
        records.encode(read_foreign(path, format="ncu_details"))
    except ImportFailed as error:
        assert error.problems[0].mend


# --- what others published -----------------------------------------------------------------------
def _bound(path: Path) -> Bound:
    found = classify(loads_of_profile(_launches(read_foreign(path))[0]))
    assert isinstance(found, Bound)
    return found


@REAL
def test_a_published_report_agrees_with_an_independent_reader_on_all_540_metrics():
    folder = CASES / "wo-k-parallel/ncu/wo_split_1"
    report = read_foreign(folder / "kernel.ncu-rep")
    (launch,) = _launches(report)
    assert report.source.tool == "Nsight Compute 2026.1.0.0"
    known = json.loads((folder / "decoded_metrics.json").read_text())
    assert len(known) == 540
    assert {name: metric.value for name, metric in launch.metrics.items()} == known
    assert launch.duration == pytest.approx(14.818e-3, rel=1e-4)
    assert (launch.grid, launch.block) == ((8, 4, 1), (128, 1, 1))
    assert launch.kernel.startswith("kernel_cutlass__wo_kernel_body")
    assert launch.metrics["l1tex__t_sector_hit_rate.pct"].unit == "%"
    found = _bound(folder / "kernel.ncu-rep")
    assert found.kind == "latency" and "main memory unknown, on-chip 8 %" in found.because


@REAL
def test_a_published_page_is_bound_by_latency_and_two_logs_are_no_results():
    assert _bound(CASES / "gdn-modal/b200_ncu_details_b1.txt").kind == "latency"
    for log in (CASES / "wo-k-parallel/ncu").rglob("ncu_stdout.log"):
        with pytest.raises(ImportFailed, match="no table"):
            read_foreign(log)
