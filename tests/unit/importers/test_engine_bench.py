"""An engine's benchmark lines: each number with the unit beside it, never the field before."""

import json

import pytest
from foreign_files import case, figures, never_breaks, read_as, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import engine_bench
from roofmark.importers.source import Declared, ForeignFile

LOG = """\
[00:00:01][INFO] loader.cpp:1: Architecture: tiny -> tiny
Some Inference Engine 1.2.3
Loading model: /models/tiny-q8.gguf (GGUF)
Benchmark: pp=256, tg=32, reps=3
pp   256 tokens  avg    20.00 ms  (12800.00 tok/s)  [3 reps]
tg    32 tokens  avg   250.00 ms  ( 128.00 tok/s)  [3 reps]
"""


def test_a_log(tmp_path):
    found = read_as("engine_bench", write(tmp_path, LOG))
    assert values(found) == {
        "pp256": (12800.0, "tok/s"),
        "pp256 time": (pytest.approx(0.02), "s"),
        "tg32": (128.0, "tok/s"),
        "tg32 time": (pytest.approx(0.25), "s"),
    }
    assert found.completeness == Complete() and not found.notes
    assert found.source.tool == "Some Inference Engine 1.2.3"
    (group,) = figures(found)
    assert group.settings["model"] == "/models/tiny-q8.gguf (GGUF)"
    assert group.figures[0].estimator == "mean of 3 repetitions"


def test_a_rate_that_its_time_contradicts_is_noted(tmp_path):
    wrong = LOG.replace("(12800.00 tok/s)", "(   20.00 tok/s)")
    found = read_as("engine_bench", write(tmp_path, wrong))
    assert values(found)["pp256"] == (20.0, "tok/s")
    assert "12800 tok/s" in found.notes[0]


def test_a_log_that_ends_early(tmp_path):
    found = read_as("engine_bench", write(tmp_path, LOG[: LOG.index("tg    32")]))
    assert isinstance(found.completeness, Partial)
    assert "tg32" in found.completeness.reasons[0]
    cut = read_as("engine_bench", write(tmp_path, LOG[: LOG.rindex(" tok/s)") - 2]))
    assert "tg32" not in values(cut) and isinstance(cut.completeness, Partial)


def test_a_log_without_results_records_a_failure(tmp_path):
    with pytest.raises(ImportFailed) as caught:
        read_as("engine_bench", write(tmp_path, LOG[: LOG.index("pp   256")]))
    assert caught.value.code == "RM418"


COLLECTION = {
    "build": "engine:7",
    "gpu": "some GPU",
    "benchmarks": {
        "tiny <b>": {
            "model": "tiny",
            "pp256_tok_per_s": 900.0,
            "baseline_pp256": 1000.0,
            "delta_pp256_pct": -10.0,
            "baseline_tg8": 5.0,
            "reps": 4,
        },
        "broken": {"tg32_tok_per_s": None},
        "none": 7,
    },
    "thresholds": {"decode_regression_pct": 5},
}


def test_a_collection_keeps_measured_and_baseline_apart(tmp_path):
    found = read_as("engine_bench", write(tmp_path, json.dumps(COLLECTION)))
    measured, baseline = figures(found)
    assert measured.settings["role"] == "measured" and baseline.settings["role"] == "baseline"
    assert measured.settings["threshold decode_regression_pct"] == "5"
    assert [(f.label, f.value) for f in measured.figures] == [("pp256", 900.0)]
    assert [(f.label, f.value) for f in baseline.figures] == [("pp256", 1000.0)]
    assert "agrees" in found.notes[0]
    assert len(found.completeness.reasons) == 2  # no unit for tg8, no number for tg32


def test_the_real_log():
    found = read_as("engine_bench", case("imp/71_bench_q8_postfix.EXCERPT.log"))
    got = values(found)
    assert got["pp512"] == (13277.98, "tok/s") and got["tg128"] == (146.49, "tok/s")
    assert got["pp512 time"] == (pytest.approx(38.56e-3), "s")
    assert got["tg128 time"] == (pytest.approx(873.80e-3), "s")
    assert found.completeness == Complete() and not found.notes
    assert found.source.tool == "IMP Inference Engine 0.7.0"


def test_the_real_collection():
    found = read_as("engine_bench", case("imp/70_bench.json"))
    legacy = [g for g in figures(found) if g.settings["benchmark"] == "qwen3_8b_q8_0_legacy"]
    now, before = ({f.label: f.value for f in group.figures} for group in legacy)
    assert now == {"pp512": 13277.98, "tg128": 146.49}
    assert before == {"pp512": 15648.35, "tg128": 258.04}
    assert now["tg128"] / before["tg128"] - 1 == pytest.approx(-0.432, abs=5e-4)
    assert found.completeness == Complete()
    assert all("agrees" in note for note in found.notes)


PIECES = st.sampled_from(
    ["pp 5 tokens  avg 1 ms  (2 tok/s)  [3 reps]", "tg", "avg", "\n", "nan", "tok/s)",
     "Benchmark: pp=1, tg=2, reps=3", '{"benchmarks": {"a": {"pp1_tok_per_s": ', "1}}}",
     "9" * 50, "\x00", "{", "1e400"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PIECES, max_size=10).map("".join) | st.text() | st.binary())
def test_only_a_refusal_leaves_the_importer(tmp_path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    never_breaks(engine_bench, tmp_path / "fuzz", data)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_wrong_types_anywhere(tmp_path, data):
    odd = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just([{}])
    entry = data.draw(
        st.dictionaries(
            st.sampled_from(["pp1_tok_per_s", "baseline_pp1", "delta_pp1_pct", "reps", "note"]), odd
        )
    )
    text = json.dumps(
        {"benchmarks": {"a": entry, "b": data.draw(odd)}, "thresholds": data.draw(odd)}
    )
    never_breaks(engine_bench, tmp_path / "fuzz", text.encode())


def test_two_keys_of_one_name_are_refused(tmp_path):
    path = write(tmp_path, '{"benchmarks": {}, "benchmarks": {"a": {"pp1_tok_per_s": 1}}}')
    with pytest.raises(ImportFailed, match="twice"):
        engine_bench.read(ForeignFile(path, Declared()))
