"""Kernel tables of nsys and of harnesses: units from the header, sums that must agree."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark.analysis.kernel_sums import per_step
from roofmark.errors import ImportFailed
from roofmark.foreign import KernelTable, Partial
from roofmark.importers import read_foreign
from roofmark.records import Missing

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)
NSYS = """Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name
75.0,3000,3,1000.0,990.0,980,1030,1.0,"void gemm<float, (int)2>(int)"
25.0,1000,1,1000.0,1000.0,1000,1000,0.0,softmax
"""
API = NSYS.replace("Instances", "Num Calls").replace(",softmax", ",cudaFree")
LEGS = """config_id,kernel_symbol,n_calls,mean_us,p50_us,p95_us,total_ms
a,k,30,1.251,1.2,1.4,0.038
b,k,2,10.000,,12,0.020
"""


def _tables(folder: Path, text: str) -> list[KernelTable]:
    path = folder / "table.csv"
    path.write_text(text)
    found = read_foreign(path).contents
    assert all(isinstance(each, KernelTable) for each in found)
    return [each for each in found if isinstance(each, KernelTable)]


def test_nsys_kernels_and_calls(tmp_path: Path):
    (table,) = _tables(tmp_path, NSYS)
    assert table.kind == "gpu" and table.total == pytest.approx(4e-6)
    assert table.rows[0].name == "void gemm<float, (int)2>(int)"
    assert table.rows[0].median == pytest.approx(990e-9)
    assert isinstance(table.rows[0].p95, Missing)
    (calls,) = _tables(tmp_path, API)
    assert calls.kind == "api"
    (slow,) = _tables(tmp_path, NSYS.replace("(ns)", "(us)"))
    assert slow.total == pytest.approx(4e-3)


def test_each_leg_has_its_table_and_rounding_is_no_contradiction(tmp_path: Path):
    first, second = _tables(tmp_path, LEGS)
    assert (first.rows[0].calls, second.rows[0].calls) == (30, 2)
    assert first.rows[0].total == pytest.approx(38e-6)
    assert isinstance(second.rows[0].median, Missing)


@pytest.mark.parametrize(
    "text",
    [
        LEGS.replace("total_ms", "total_s"),
        LEGS.replace("30,", "30.5,"),
        LEGS.replace("30,", "-30,"),
        NSYS.replace("3000,3", "3000,300"),
        NSYS.replace("75.0,3000", "75.0,x").replace("1000.0,990", "y,990"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(tmp_path: Path, text: str):
    with pytest.raises(ImportFailed, match="line 2") as raised:
        _tables(tmp_path, text)
    assert raised.value.code == "RM416"


def test_a_table_without_rows_is_no_result(tmp_path: Path):
    for text in (NSYS, LEGS):
        with pytest.raises(ImportFailed) as raised:
            _tables(tmp_path, text.splitlines()[0] + "\n")
        assert raised.value.code == "RM418"


def test_a_cut_table_is_partial(tmp_path: Path):
    path = tmp_path / "cut.csv"
    path.write_text(LEGS[:-9])
    assert isinstance(read_foreign(path).completeness, Partial)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("25.0,1000,1,1000.0,1000.0,1000,1000,0.0,softmax\n", "", "75.0 %: rows are absent"),
        ("75.0,", "n/a,", "1 rows have no share"),
        ("75.0,", "90.0,", "115.0 %: rows of several tables"),
        ("75.0,", "75.1,", ""),
        ("75.0,", "75.2,", "100.2 %"),
        ("Time (%),", "Time(%),", ""),
    ],
)
def test_shares_tell_whether_rows_are_absent(tmp_path: Path, old: str, new: str, reason: str):
    path = tmp_path / "table.csv"
    path.write_text(NSYS.replace(old, new))
    found = read_foreign(path).completeness
    assert isinstance(found, Partial) == bool(reason)
    assert reason in "; ".join(found.reasons if isinstance(found, Partial) else ())


def test_shares_are_rounded_once_per_row(tmp_path: Path):
    row = "14.3,1000,1,1000.0,1000.0,1000,1000,0.0,k{}\n"
    path = tmp_path / "table.csv"
    for count in (6, 7):
        path.write_text(NSYS.splitlines()[0] + "\n" + "".join(map(row.format, range(count))))
        assert isinstance(read_foreign(path).completeness, Partial) == (count == 6)


@pytest.mark.parametrize(
    "text",
    [
        API.replace('"void gemm<float, (int)2>(int)"', "poll").replace("cudaFree", "fopen"),
        NSYS.replace("Name", "Source,Name").replace('"void', 'MPI,"void').replace(",s", ",MPI,s"),
    ],
)
def test_summaries_of_other_calls_are_no_cuda(tmp_path: Path, text: str):
    with pytest.raises(ImportFailed) as raised:
        _tables(tmp_path, text)
    assert raised.value.code == "RM419"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_crashes_them(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    text, format = data.draw(st.sampled_from([(NSYS, "nsys_stats"), (LEGS, "kernel_csv")]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_text(text[:start] + data.draw(st.text(max_size=8)) + text[end:])
    try:
        read_foreign(path, format=format)
    except ImportFailed as error:
        assert error.problems[0].mend


@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
def test_what_two_teams_published():
    (kernels,) = read_foreign(CASES / "imp/qwen3-4b-q8_W2_ng_cuda_gpu_kern_sum.csv").contents
    assert isinstance(kernels, KernelTable)
    top = sum(sorted((row.total for row in kernels.rows), reverse=True)[:5])
    assert kernels.total == pytest.approx(16.879, abs=5e-4)
    assert top / kernels.total == pytest.approx(0.885, abs=5e-4)
    launches: list[int] = []
    for graphs in ("ng", "g"):
        (calls,) = read_foreign(CASES / f"imp/qwen3-4b-q8_W2_{graphs}_cuda_api_sum.csv").contents
        assert isinstance(calls, KernelTable) and calls.kind == "api"
        launches += [row.calls for row in calls.rows if row.name == "cudaLaunchKernel"]
    assert launches == [1_052_228, 4_426]
    for leg in ("lower8", "phaseE-off", "all-beta"):
        (table,) = read_foreign(CASES / f"three-leg/{leg}/profile_kernels.csv").contents
        assert isinstance(table, KernelTable) and len(table.rows) > 50


@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
@pytest.mark.parametrize(
    ("leg", "formula", "milliseconds", "coverage", "steps"),
    [
        ("lower8", "14*DecodeKernel + 2*Beta", 320.510, 0.75, 2550),
        ("phaseE-off", "16*DecodeKernel + 16*mlp", 655.544, 0.87, 2550),
        ("all-beta", "12*DecodeKernel + 4*Beta", 368.593, 0.78, 1020),
    ],
)
def test_a_published_experiment_in_three_legs(
    leg: str, formula: str, milliseconds: float, coverage: float, steps: int
):
    (table,) = read_foreign(CASES / f"three-leg/{leg}/profile_kernels.csv").contents
    assert isinstance(table, KernelTable)
    found = per_step(table, formula)
    assert 1e3 * found.seconds == pytest.approx(milliseconds, abs=5e-4)
    assert found.coverage == pytest.approx(coverage, abs=5e-3)
    assert found.agree and {term.steps for term in found.terms} == {steps}
