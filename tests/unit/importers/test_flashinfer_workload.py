"""Workloads of FlashInfer-Trace: what is bound and where inputs come from; nothing is opened."""

import copy
import json

import pytest
from foreign_files import never_breaks, read_as, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark import records
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Imported, Partial, RandomInput, ScalarInput, StoredInput
from roofmark.importers import flashinfer_workload, read_foreign
from roofmark.reports.foreign import foreign_text

MADE = {
    "definition": "norm_d64",
    "workload": {
        "uuid": "w0",
        "axes": {"n": 8},
        "inputs": {
            "x": {"type": "random"},
            "eps": {"type": "scalar", "value": 1e-6},
            "w": {"type": "safetensors", "path": "/no/such.safetensors", "tensor_key": "w"},
        },
    },
    "solution": None,
    "evaluation": None,
}


def line(**changed):
    return json.dumps(MADE | {"workload": MADE["workload"] | changed}) + "\n"


def test_workloads(tmp_path):
    path = write(tmp_path, line() + line(uuid="w1", axes={"n": 9}, inputs={}))
    found = read_as("flashinfer_workload", path)
    (of,) = found.contents
    first, second = of.workloads
    assert of.definition == "norm_d64" and (first.name, second.name) == ("w0", "w1")
    assert first.axes == {"n": 8} and second.axes == {"n": 9}
    assert first.inputs == {
        "x": RandomInput(),
        "eps": ScalarInput(value=1e-6),
        "w": StoredInput(path="/no/such.safetensors", key="w"),
    }
    assert found.completeness == Complete()
    assert records.decode(records.encode(found), Imported, where="here") == found
    assert "w0: n=8; inputs: 1 random, 1 scalar, 1 stored" in foreign_text(found)


def test_definitions_are_kept_apart_and_results_are_pointed_to(tmp_path):
    other = json.dumps(MADE | {"definition": "norm_d32"}) + "\n"
    evaluated = json.dumps(MADE | {"evaluation": {"status": "PASSED"}}) + "\n"
    path = write(tmp_path, line() + other + evaluated)
    found = read_foreign(path, format="flashinfer_workload")
    assert [one.definition for one in found.contents] == ["norm_d64", "norm_d32"]
    assert "1 lines have an evaluation" in found.notes[0]


def test_bytes_tell_workloads_from_results(tmp_path):
    evaluated = json.dumps(MADE | {"evaluation": {"status": "TIMEOUT"}})
    assert read_foreign(write(tmp_path, line())).source.format == "flashinfer_workload"
    with pytest.raises(ImportFailed, match="RM418"):
        read_foreign(write(tmp_path, evaluated))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"uuid": ""}, "uuid is blank"),
        ({"axes": {"n": -1}}, "axis n is -1"),
        ({"axes": {"n": True}}, "axis n is true"),
        ({"axes": {"n": 1 << 70}}, "axis n is"),
        ({"inputs": {"x": {"type": "blob"}}}, "x has the type blob"),
        ({"inputs": {"x": {"type": "scalar", "value": float("nan")}}}, "x has the value nan"),
        ({"inputs": {"x": {"type": "scalar", "value": 10**400}}}, "x has the value"),
        ({"inputs": {"x": {"type": "safetensors", "path": "a"}}}, "tensor_key is none"),
        ({"axes": {"n": 9}}, "a second workload w0"),
    ],
)
def test_what_is_no_workload_is_left_out_and_named(tmp_path, changed, told):
    found = read_as("flashinfer_workload", write(tmp_path, line() + line(**changed)))
    assert isinstance(found.completeness, Partial)
    assert found.completeness.reasons[0].startswith("line 2: ")
    assert told in found.completeness.reasons[0]
    assert len(found.contents[0].workloads) == 1


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(sorted(MADE)), ODD),
    st.dictionaries(st.sampled_from(sorted(MADE["workload"])), ODD),
    st.dictionaries(st.sampled_from(["type", "value", "path", "tensor_key"]), ODD),
    st.integers(0, 400),
)
def test_only_a_refusal_leaves_the_importer(tmp_path, outer, changed, one, cut):
    odd = copy.deepcopy(MADE)
    odd["workload"]["inputs"]["x"] |= one
    odd["workload"] |= changed
    text = line() + json.dumps(odd | outer) + "\n"
    never_breaks(flashinfer_workload, tmp_path / "fuzz", text.encode())
    never_breaks(flashinfer_workload, tmp_path / "fuzz", text[:-cut].encode())
