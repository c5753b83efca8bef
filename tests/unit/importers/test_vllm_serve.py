"""A serving benchmark: seconds, failed requests named, and never a failed request's zero."""

import json

import pytest
from foreign_files import figures, never_breaks, read_as, series, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import vllm_serve
from roofmark.importers.source import Declared, ForeignFile

RUN = {
    "date": "20260102-030405",
    "backend": "vllm",
    "model_id": "org/tiny",
    "num_prompts": 3,
    "request_rate": "inf",
    "max_concurrency": None,
    "duration": 2.0,
    "completed": 3,
    "failed": 0,
    "total_output_tokens": 9,
    "request_throughput": 1.5,
    "request_goodput": None,
    "output_throughput": 4.5,
    "total_token_throughput": 30.0,
    "mean_ttft_ms": 20.0,
    "median_ttft_ms": 19.0,
    "std_ttft_ms": 1.5,
    "p99_ttft_ms": 25.0,
    "mean_tpot_ms": 5.0,
    "p99.9_itl_ms": 7.0,
}
DETAIL = {
    "ttfts": [0.019, 0.0, 0.021],
    "itls": [[0.005, 0.006], [], [0.004]],
    "errors": ["", "Connection reset", ""],
    "generated_texts": ["a", "", "c"],
}


def test_a_run(tmp_path):
    found = read_as("vllm_serve", write(tmp_path, json.dumps(RUN)))
    got = values(found)
    assert got["request_throughput"] == (1.5, "req/s")
    assert got["output_throughput"] == (4.5, "tok/s")
    assert got["mean ttft"] == (pytest.approx(0.020), "s")
    assert got["p99 ttft"] == (pytest.approx(0.025), "s")
    assert got["p99.9 itl"] == (pytest.approx(0.007), "s")
    assert "request_goodput" not in got
    assert found.completeness == Complete() and not series(found)
    (group,) = figures(found)
    assert group.settings["model_id"] == "org/tiny" and group.settings["request_rate"] == "inf"
    spreads = {f.label: f.spread for f in group.figures}
    assert spreads["mean ttft"] == pytest.approx(0.0015)


def test_failed_requests_are_absent_and_not_fast(tmp_path):
    run = RUN | DETAIL | {"completed": 2, "failed": 1}
    found = read_as("vllm_serve", write(tmp_path, json.dumps(run)))
    (columns,) = series(found)
    assert {c.label: c.seconds for c in columns.columns} == {
        "ttft": (0.019, 0.021),
        "itl": (0.005, 0.006, 0.004),
    }
    assert isinstance(found.completeness, Partial)
    assert "2 of 3 requests" in found.completeness.reasons[0]


def test_appended_runs_stay_apart(tmp_path):
    text = json.dumps(RUN) + "\n" + json.dumps(RUN | {"request_rate": 4, "duration": 9.0})
    found = read_as("vllm_serve", write(tmp_path, text))
    assert [group.settings["request_rate"] for group in figures(found)] == ["inf", "4"]


def test_no_completed_request_is_a_failure(tmp_path):
    run = RUN | {"completed": 0, "mean_ttft_ms": 0.0, "request_throughput": 0.0}
    with pytest.raises(ImportFailed) as caught:
        read_as("vllm_serve", write(tmp_path, json.dumps(run)))
    assert caught.value.code == "RM418"


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), "n/a", [1], True])
def test_what_is_no_number_is_no_figure(tmp_path, value):
    found = read_as("vllm_serve", write(tmp_path, json.dumps(RUN | {"mean_ttft_ms": value})))
    assert "mean ttft" not in values(found)
    assert found.completeness.reasons[0].startswith("mean ttft:")


def test_a_cut_file_is_malformed(tmp_path):
    path = write(tmp_path, json.dumps(RUN)[:-30])
    with pytest.raises(ImportFailed) as caught:
        vllm_serve.read(ForeignFile(path, Declared()))
    assert caught.value.code == "RM416"


def test_times_written_as_text(tmp_path):
    run = RUN | {"ttfts": ["1,000", 0.5, "x"]}
    (columns,) = series(read_as("vllm_serve", write(tmp_path, json.dumps(run))))
    assert columns.columns[0].seconds == (1000.0, 0.5)


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(sorted(RUN | DETAIL)), ODD), st.integers(0, 2000))
def test_only_a_refusal_leaves_the_importer(tmp_path, changed, cut):
    text = json.dumps(RUN | DETAIL | changed)
    never_breaks(vllm_serve, tmp_path / "fuzz", text.encode())
    never_breaks(vllm_serve, tmp_path / "fuzz", (text + "\n" + text)[:cut].encode())
