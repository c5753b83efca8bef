"""NVBench: figures by benchmark and axis values, samples beside the file, skipped states named."""

import copy
import json
import struct

import pytest
from foreign_files import figures, never_breaks, read_as, series, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import nvbench


def summary(tag, value, hint=None, kind="float64"):
    made = {"tag": tag, "name": tag, "data": [{"name": "value", "type": kind, "value": value}]}
    return made | ({"hint": hint} if hint else {})


def state(size="256", **changed):
    return {
        "name": f"Device=0 BlockSize={size}",
        "device": 0,
        "axis_values": [{"name": "BlockSize", "type": "int64", "value": size}],
        "summaries": [
            summary("nv/cold/sample_size", "3", "sample_size", "int64"),
            summary("nv/cold/time/gpu/mean", "2e-05", "duration"),
            summary("nv/cold/time/gpu/stdev/absolute", "1e-06", "duration"),
            summary("nv/cold/time/gpu/stdev/relative", "0.05", "percentage"),
            summary("nv/cold/time/gpu/min", "1.9e-05", "duration"),
            summary("nv/cold/bw/global/bytes_per_second", "3.5e11", "byte_rate"),
            summary("nv/cold/bw/global/utilization", "0.75", "percentage"),
            summary("own/mode", "fast", kind="string"),
        ],
        "is_skipped": False,
    } | changed


def made(*states):
    return {
        "meta": {"argv": ["./bench", "--json", "o"], "version": {"nvbench": {"string": "0.2.0"}}},
        "devices": [{"id": 0, "name": "SOME GPU", "sm_version": 1000}],
        "benchmarks": [
            {"name": "copy", "index": 0, "min_samples": 3, "axes": [], "states": list(states)}
        ],
    }


def with_samples(name="o.json-bin/0.bin", size="3"):
    one = state()
    data = [
        {"name": "filename", "type": "string", "value": name},
        {"name": "size", "type": "int64", "value": size},
    ]
    one["summaries"].append({"tag": "nv/json/bin:nv/cold/sample_times", "data": data})
    return one


def test_states_become_figures(tmp_path):
    found = read_as("nvbench", write(tmp_path, json.dumps(made(state(), state("512")))))
    got = values(found)
    assert got["copy [BlockSize=256] nv/cold/time/gpu/mean"] == (2e-5, "s")
    assert got["copy [BlockSize=512] nv/cold/bw/global/bytes_per_second"] == (3.5e11, "B/s")
    assert got["copy [BlockSize=512] nv/cold/bw/global/utilization"] == (0.75, "1")
    assert not any("stdev" in label or "own/mode" in label for label in got)
    (group,) = figures(found)
    assert group.settings["device name"] == "SOME GPU" and group.settings["min_samples"] == "3"
    mean = group.figures[0]
    assert mean.spread == 1e-6 and mean.estimator == "mean of 3 samples"
    assert found.source.tool == "NVBench 0.2.0"
    assert found.completeness == Complete()


def test_a_skipped_state_is_named(tmp_path):
    skipped = state("512", is_skipped=True, skip_reason="too large <b>", summaries=None)
    found = read_as("nvbench", write(tmp_path, json.dumps(made(state(), skipped))))
    assert isinstance(found.completeness, Partial)
    reason = "copy [BlockSize=512] was skipped: too large <b>"
    assert found.completeness.reasons == (reason,)
    with pytest.raises(ImportFailed) as caught:
        read_as("nvbench", write(tmp_path, json.dumps(made(skipped))))
    assert caught.value.code == "RM418"


def test_samples_beside_the_file(tmp_path):
    (tmp_path / "o.json-bin").mkdir()
    write(tmp_path / "o.json-bin", struct.pack("<3f", 1e-5, 2e-5, 3e-5), "0.bin")
    path = write(tmp_path, json.dumps(made(with_samples("build/o.json-bin/0.bin"))), "o.json")
    found = read_as("nvbench", path)
    (columns,) = series(found)
    assert columns.columns[0].label == "copy [BlockSize=256]"
    assert columns.columns[0].seconds == pytest.approx((1e-5, 2e-5, 3e-5))
    assert found.completeness == Complete() and "sha256" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("o.json-bin/1.bin", "3"),
        ("o.json-bin/0.bin", "2"),
        ("o.json-bin/0.bin", "4"),
        ("o.json-bin/0.bin", "99999999999"),
        ("../o.json-bin/../../secret", "3"),
        ("/etc/passwd", "3"),
        ("link-bin/0.bin", "3"),
        ("nan-bin/0.bin", "1"),
        (7, None),
    ],
)
def test_samples_that_are_not_there_or_not_ours(tmp_path, name, size):
    inner = tmp_path / "inner"
    outside = tmp_path / "outside"
    for folder in (inner, outside, inner / "o.json-bin", inner / "nan-bin"):
        folder.mkdir()
    (inner / "link-bin").symlink_to(outside)
    for folder in (inner / "o.json-bin", outside):
        write(folder, struct.pack("<3f", 1e-5, 2e-5, 3e-5), "0.bin")
    write(inner / "nan-bin", struct.pack("<f", float("nan")), "0.bin")
    found = read_as("nvbench", write(inner, json.dumps(made(with_samples(name, size)))))
    assert not series(found)
    assert "samples" in found.completeness.reasons[0]


def test_older_files_name_their_summaries(tmp_path):
    old = state(
        summaries={
            "Average GPU Time (Cold)": {
                "values": [
                    {"name": "hint", "type": "string", "value": "duration"},
                    {"name": "value", "type": "float64", "value": 2e-5},
                ]
            }
        }
    )
    found = read_as("nvbench", write(tmp_path, json.dumps(made(old))))
    assert values(found) == {"copy [BlockSize=256] Average GPU Time (Cold)": (2e-5, "s")}


def test_what_is_no_number_is_no_figure(tmp_path):
    for value in ("nan", None, "0", "not-a-number"):
        one = state()
        one["summaries"][1] = summary("nv/cold/time/gpu/mean", value, "duration")
        found = read_as("nvbench", write(tmp_path, json.dumps(made(one))))
        assert "copy [BlockSize=256] nv/cold/time/gpu/mean" not in values(found)
        assert isinstance(found.completeness, Partial)


@pytest.mark.parametrize("states", [[], None, [None], [{}]])
def test_what_holds_no_state_is_malformed(tmp_path, states):
    whole = made()
    whole["benchmarks"][0]["states"] = states
    with pytest.raises(ImportFailed) as caught:
        read_as("nvbench", write(tmp_path, json.dumps(whole)))
    assert caught.value.code == "RM416"


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*path, key))


WHOLE = made(with_samples())
PLACES = [place for place in places(WHOLE) if place]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PLACES), ODD, st.integers(0, 4000))
def test_only_a_refusal_leaves_the_importer(tmp_path, place, odd, cut):
    whole = copy.deepcopy(WHOLE)
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = odd
    text = json.dumps(whole)
    never_breaks(nvbench, tmp_path / "fuzz", text.encode())
    never_breaks(nvbench, tmp_path / "fuzz", text[:cut].encode())
