"""A definition of FlashInfer-Trace: axes, tensors and a reference that is kept and never run."""

import copy
import json

import pytest
from foreign_files import never_breaks, read_as, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark import records
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Imported, Partial
from roofmark.importers import flashinfer_definition
from roofmark.records import Missing

MADE = {
    "name": "norm_d64",
    "op_type": "norm",
    "axes": {"n": {"type": "var"}, "d": {"type": "const", "value": 64}},
    "inputs": {
        "x": {"shape": ["n", "d"], "dtype": "bfloat16"},
        "eps": {"shape": None, "dtype": "float32"},
    },
    "outputs": {"y": {"shape": ["n", "d"], "dtype": "bfloat16"}},
    "constraints": ["n > 0"],
    "reference": "import sys\n\ndef run(x, eps):\n    sys.exit(3)\n",
}


def test_a_definition(tmp_path):
    found = read_as("flashinfer_definition", write(tmp_path, json.dumps(MADE)))
    (one,) = found.contents
    assert one.axes == {"n": "var", "d": 64}
    assert one.inputs["x"].shape == ("n", "d") and one.inputs["x"].dtype == "bfloat16"
    assert isinstance(one.inputs["eps"].shape, Missing)
    assert one.reference == MADE["reference"] and one.constraints == ("n > 0",)
    assert one.kind == "norm"
    assert found.completeness == Complete()
    assert records.decode(records.encode(found), Imported, where="here") == found


def test_what_is_not_defined_is_named(tmp_path):
    odd = copy.deepcopy(MADE)
    odd["axes"]["k"] = {"type": "const", "value": -1}
    odd["inputs"]["w"] = {"shape": ["k"], "dtype": "bfloat16"}
    odd["inputs"]["v"] = {"shape": ["d"]}
    del odd["reference"]
    found = read_as("flashinfer_definition", write(tmp_path, json.dumps(odd)))
    assert isinstance(found.completeness, Partial)
    assert len(found.completeness.reasons) == 4
    assert isinstance(found.contents[0].reference, Missing)


@pytest.mark.parametrize("change", [{"name": 7}, {"axes": []}, {"outputs": {}}, {"inputs": "x"}])
def test_what_is_no_definition_is_malformed(tmp_path, change):
    path = write(tmp_path, json.dumps(MADE | change))
    with pytest.raises(ImportFailed) as caught:
        flashinfer_definition.read(flashinfer_definition.ForeignFile(path, None))
    assert caught.value.code == "RM416"


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(sorted(MADE)), ODD), ODD, st.integers(0, 900))
def test_only_a_refusal_leaves_the_importer(tmp_path, changed, inner, cut):
    odd = copy.deepcopy(MADE) | changed
    for place in ("axes", "inputs", "outputs"):
        if isinstance(odd[place], dict):
            odd[place]["odd"] = inner
    text = json.dumps(odd)
    never_breaks(flashinfer_definition, tmp_path / "fuzz", text.encode())
    never_breaks(flashinfer_definition, tmp_path / "fuzz", text[:cut].encode())
