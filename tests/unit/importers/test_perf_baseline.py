"""Pins keep their method beside their numbers."""

import json

import pytest
from foreign_files import case, figures, never_breaks, read_as, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete
from roofmark.importers import perf_baseline

PIN = {
    "model": "tiny.gguf",
    "gpu": "some GPU",
    "methodology": "median of 3 trials × 2 reps, caches cold; graphs off",
    "reps": 2,
    "_note": "Not comparable with the last pin.",
    "metrics": {
        "prefill_tps": {"pp64": 500.5},
        "decode_tps": {"tg8": 20.25},
        "memory_mb": {"model_weights": 128},
        "latency_ms": {"first": 250},
    },
    "thresholds": {"decode_regression_pct": 3},
}


def test_a_pin(tmp_path):
    found = read_as("perf_baseline", write(tmp_path, json.dumps(PIN)))
    assert values(found) == {
        "prefill pp64": (500.5, "tok/s"),
        "decode tg8": (20.25, "tok/s"),
        "memory model_weights": (128.0, "MB"),
        "latency first": (0.25, "s"),
    }
    (group,) = figures(found)
    assert group.settings["methodology"].startswith("median of 3 trials")
    assert group.settings["threshold decode_regression_pct"] == "3"
    assert group.figures[0].estimator == "median of 3 trials × 2 reps"
    assert "Not comparable" in found.notes[0]


def test_a_pin_without_method_says_so(tmp_path):
    bare = {k: v for k, v in PIN.items() if k not in ("methodology", "_note")}
    found = read_as("perf_baseline", write(tmp_path, json.dumps(bare)))
    assert "does not say by which method" in found.notes[0]
    assert figures(found)[0].figures[0].estimator == "not stated, 2 repetitions"


def test_a_group_without_unit_is_left_out(tmp_path):
    odd = {**PIN, "metrics": {**PIN["metrics"], "speed": {"x": 1}, "decode_tps": {"tg8": 0}}}
    found = read_as("perf_baseline", write(tmp_path, json.dumps(odd)))
    assert "speed x" not in values(found) and "decode tg8" not in values(found)
    assert len(found.completeness.reasons) == 2


def test_the_two_real_pins_differ_in_method():
    old = read_as("perf_baseline", case("imp/perf_baseline@11777176_2026-05-14.json"))
    new = read_as("perf_baseline", case("imp/perf_baseline@0db75ebc_2026-07-26.json"))
    assert old.completeness == new.completeness == Complete()
    ratio = values(new)["decode tg128"][0] / values(old)["decode tg128"][0]
    assert ratio - 1 == pytest.approx(0.889, abs=5e-4)
    ratio = values(new)["prefill pp512"][0] / values(old)["prefill pp512"][0]
    assert ratio - 1 == pytest.approx(-0.140, abs=5e-4)
    assert "methodology" not in figures(old)[0].settings
    assert "methodology" in figures(new)[0].settings
    assert any("NOT comparable" in note for note in new.notes)


@pytest.mark.parametrize("text", ["{}", "[1]", '{"metrics": {"decode_tps": 5}}', "{" * 99999])
def test_what_holds_no_pin_is_malformed(tmp_path, text):
    with pytest.raises(ImportFailed) as caught:
        perf_baseline.read(perf_baseline.ForeignFile(write(tmp_path, text), None))
    assert caught.value.code == "RM416"


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(sorted(PIN)), ODD), ODD, st.integers(0, 400))
def test_only_a_refusal_leaves_the_importer(tmp_path, changed, group, cut):
    pin = {**PIN, **changed}
    if isinstance(pin["metrics"], dict):
        pin["metrics"] = {**pin["metrics"], "decode_tps": group}
    text = json.dumps(pin)
    never_breaks(perf_baseline, tmp_path / "fuzz", text.encode())
    never_breaks(perf_baseline, tmp_path / "fuzz", text[:cut].encode())
