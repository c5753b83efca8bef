"""A solution of FlashInfer-Trace: kept as text, and refused where its paths lead elsewhere."""

import copy
import json

import pytest
from foreign_files import never_breaks, read_as, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark import records
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Imported
from roofmark.importers import flashinfer_solution
from roofmark.importers.flashinfer_solution import ForeignFile
from roofmark.records import Missing
from roofmark.reports.foreign import foreign_text

MADE = {
    "name": "norm_fast",
    "definition": "norm_d64",
    "author": "someone",
    "spec": {
        "language": "python",
        "target_hardware": ["NVIDIA_H100", "cpu"],
        "entry_point": "src/main.py::run",
        "dependencies": ["torch"],
        "destination_passing_style": False,
    },
    "sources": [
        {"path": "src/main.py", "content": "import sys\nsys.exit(3)\ndef run(x): ...\n"},
        {"path": "helper.py", "content": "half of a pair: \ud800"},
    ],
}


def test_a_solution(tmp_path):
    path = write(tmp_path, json.dumps(MADE))
    before = sorted(tmp_path.iterdir())
    found = read_as("flashinfer_solution", path)
    (one,) = found.contents
    assert (one.name, one.definition, one.author) == ("norm_fast", "norm_d64", "someone")
    assert (one.language, one.entry, one.writes) == ("python", "src/main.py::run", False)
    assert one.hardware == ("NVIDIA_H100", "cpu") and one.dependencies == ("torch",)
    assert isinstance(one.binding, Missing) and isinstance(one.description, Missing)
    assert one.sources["src/main.py"] == MADE["sources"][0]["content"]
    assert one.sources["helper.py"] == "half of a pair: ?"
    assert found.completeness == Complete() and found.notes == ()
    assert records.decode(records.encode(found), Imported, where="here") == found
    assert "src/main.py: 39 characters" in foreign_text(found)
    assert sorted(tmp_path.iterdir()) == before


def test_an_unsaid_style_is_the_default_and_told(tmp_path):
    made = copy.deepcopy(MADE)
    del made["spec"]["destination_passing_style"]
    found = read_as("flashinfer_solution", write(tmp_path, json.dumps(made)))
    assert found.contents[0].writes is True
    assert "does not say who makes the outputs" in found.notes[0]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x.py", "a/../../x.py", "a//x.py", "./x.py", "a\\..\\x.py", "C:x.py",
     "a/", "", "x\n.py", "x\0.py", "x\u202e.py", "\ud800.py", "n" * 201, "helper.py",
     "HELPER.py", "helper.py/x.py", "src"],
)  # fmt: skip
def test_a_path_that_is_no_place_inside_is_refused(tmp_path, path):
    made = copy.deepcopy(MADE)
    made["sources"].append({"path": path, "content": "x"})
    file = ForeignFile(write(tmp_path, json.dumps(made)), None)
    with pytest.raises(ImportFailed, match="RM416") as caught:
        flashinfer_solution.read(file)
    assert "inside a folder" in str(caught.value) or "the same place" in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": 7},
        {"definition": ""},
        {"sources": []},
        {"sources": [{"path": "src/main.py"}]},
        {"sources": [{"path": "other.py", "content": ""}]},
        {"spec": {}},
        {"spec": MADE["spec"] | {"entry_point": "src/main.py"}},
        {"spec": MADE["spec"] | {"entry_point": "src/main.py::run()"}},
    ],
)
def test_what_is_no_solution_is_malformed(tmp_path, changed):
    file = ForeignFile(write(tmp_path, json.dumps(MADE | changed)), None)
    with pytest.raises(ImportFailed, match="RM416"):
        flashinfer_solution.read(file)


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(sorted(MADE)), ODD),
    st.dictionaries(st.sampled_from(sorted(MADE["spec"])), ODD),
    st.dictionaries(st.sampled_from(["path", "content"]), ODD),
    st.integers(0, 600),
)
def test_only_a_refusal_leaves_the_importer(tmp_path, changed, spec, source, cut):
    odd = copy.deepcopy(MADE)
    odd["spec"] |= spec
    odd["sources"].append(source)
    text = json.dumps(odd | changed)
    never_breaks(flashinfer_solution, tmp_path / "fuzz", text.encode())
    never_breaks(flashinfer_solution, tmp_path / "fuzz", text[:cut].encode())
