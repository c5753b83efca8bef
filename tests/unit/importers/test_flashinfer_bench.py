"""Evaluations of FlashInfer-Bench: labels alike in every run, and the reference as a canary."""

import json
import statistics

import pytest
from foreign_files import case, figures, never_breaks, read_as, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import flashinfer_bench

CSV = """\
run,workload_index,workload,batch_size,status,latency_us,speedup_vs_python_reference,max_abs_err
1,0,aa11,1,PASSED,10.0,50.0,1e-8
1,1,bb22,8,PASSED,20.0,40.0,1e-8
2,0,aa11,1,PASSED,13.0,60.0,1e-8
2,1,bb22,8,RUNTIME_ERROR,,,
"""


def trace(uuid="w0", **changed):
    evaluation = {
        "status": "PASSED",
        "environment": {"hardware": "SOME GPU", "libs": {"torch": "2.9"}},
        "timestamp": "2026-01-02T03:04:05",
        "correctness": {"max_relative_error": 0.0, "max_absolute_error": 0.0},
        "performance": {"latency_ms": 0.5, "reference_latency_ms": 2.0, "speedup_factor": 4.0},
    }
    return {
        "definition": "norm_d64",
        "solution": "fast",
        "workload": {"uuid": uuid, "axes": {"batch_size": 8}, "inputs": {}},
        "evaluation": evaluation | changed,
    }


def lines(*traces):
    return "".join(json.dumps(one) + "\n" for one in traces)


def test_runs_of_a_csv_share_their_labels(tmp_path):
    found = read_as("flashinfer_bench", write(tmp_path, CSV))
    first, second = figures(found)
    assert first.settings == {"run": "1"} and second.settings == {"run": "2"}
    one, two = ({f.label: f.value for f in group.figures} for group in (first, second))
    assert one["aa11, batch_size 1: latency"] == pytest.approx(10e-6)
    assert one["aa11, batch_size 1: reference latency"] == pytest.approx(500e-6)
    assert two["aa11, batch_size 1: speed-up"] == 60.0
    assert "bb22, batch_size 8: latency" not in two
    assert isinstance(found.completeness, Partial)
    assert "bb22, batch_size 8 is RUNTIME_ERROR" in found.completeness.reasons[0]


def test_a_run_without_some_workloads_is_partial(tmp_path):
    found = read_as("flashinfer_bench", write(tmp_path, "\n".join(CSV.split("\n")[:4]) + "\n"))
    assert "run 2 holds 1 of 2 workloads" in found.completeness.reasons[0]


def test_a_last_row_that_was_cut_is_left_out(tmp_path):
    found = read_as("flashinfer_bench", write(tmp_path, CSV[: CSV.index("PASSED,13.0") + 9]))
    assert len(figures(found)) == 1
    assert isinstance(found.completeness, Partial)


def test_traces(tmp_path):
    found = read_as("flashinfer_bench", write(tmp_path, lines(trace(), trace("w1"))))
    (group,) = figures(found)
    assert group.settings == {
        "definition": "norm_d64",
        "solution": "fast",
        "hardware": "SOME GPU",
        "lib torch": "2.9",
    }
    got = values(found)
    assert got["w0, batch_size 8: latency"] == (pytest.approx(5e-4), "s")
    assert got["w1, batch_size 8: reference latency"] == (pytest.approx(2e-3), "s")
    assert got["w0, batch_size 8: speed-up"] == (4.0, "1")
    assert found.completeness == Complete()
    alone = read_as("flashinfer_bench", write(tmp_path, json.dumps(trace(), indent=2)))
    assert len(values(alone)) == 3


def test_other_environments_are_other_figures(tmp_path):
    other = trace(environment={"hardware": "OTHER GPU", "libs": {}})
    found = read_as("flashinfer_bench", write(tmp_path, lines(trace(), other)))
    assert [group.settings["hardware"] for group in figures(found)] == ["SOME GPU", "OTHER GPU"]


def test_failures_defaults_and_bare_workloads(tmp_path):
    failed = trace("w1", status="INCORRECT_NUMERICAL", performance=None)
    default = trace("w2", performance={"latency_ms": 0.0})
    bare = trace("w3") | {"solution": None, "evaluation": None}
    found = read_as("flashinfer_bench", write(tmp_path, lines(trace(), failed, default, bare)))
    assert {label.split(",")[0] for label in values(found)} == {"w0"}
    reasons = found.completeness.reasons
    assert "INCORRECT_NUMERICAL" in reasons[0] and "0.0 is no measured amount" in reasons[1]
    assert "1 workloads stand here without" in found.notes[0]


def test_when_nothing_passed_it_is_a_failure(tmp_path):
    with pytest.raises(ImportFailed) as caught:
        read_as("flashinfer_bench", write(tmp_path, lines(trace(status="TIMEOUT"))))
    assert caught.value.code == "RM418"


def test_the_real_runs_have_a_slow_host_in_run_four():
    found = read_as("flashinfer_bench", case("gdn-modal/b200_flashinfer_bench_runs.csv"))
    assert found.completeness == Complete()
    groups = figures(found)
    assert [group.settings["run"] for group in groups] == ["1", "2", "3", "4", "5"]
    assert all(len(group.figures) == 54 * 3 for group in groups)

    def median(group, kind):
        return statistics.median(f.value for f in group.figures if f.label.endswith(kind))

    latency = [median(group, ": latency") for group in groups]
    canary = [median(group, ": reference latency") for group in groups]
    others = [*latency[:3], latency[4]]
    assert latency[3] / statistics.median(others) > 1.2
    assert canary[3] / statistics.median([*canary[:3], canary[4]]) > 1.4


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
CELLS = st.sampled_from(["PASSED", "1", "", "nan", '"', ",", "\n", "run", "workload", "status",
                         "latency_us", "1e999", "-3", "\x00", "<b>", "\r"])  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(sorted(trace()["evaluation"])), ODD),
    st.dictionaries(st.sampled_from(sorted(trace())), ODD),
    st.lists(CELLS, max_size=20).map(",".join),
)
def test_only_a_refusal_leaves_the_importer(tmp_path, changed, outer, cells):
    text = lines(trace(**changed), trace() | outer)
    never_breaks(flashinfer_bench, tmp_path / "fuzz", text.encode())
    never_breaks(flashinfer_bench, tmp_path / "fuzz", (CSV + cells).encode())
    never_breaks(flashinfer_bench, tmp_path / "fuzz", cells.encode())
