"""The study's own small arithmetic."""

import pytest
from sample import make_study

from roofmark.errors import BundleError
from roofmark.records import decode, encode
from roofmark.study import Solution, Study, Tensor, Workload, twin_of


def test_a_study_comes_back_as_it_was():
    study = make_study(("fast",), wrong=("bad",))
    assert decode(encode(study), Study, where="t") == study


def test_shapes_are_expressions():
    assert Tensor("B 1 4 d//2", "float32").dims({"B": 3, "d": 128}) == (3, 1, 4, 64)
    assert Tensor("", "float32").dims({}) == ()


@pytest.mark.parametrize(
    ("workload", "name"),
    [
        (Workload(axes={"B": 8}, seed=2), "B8-s2"),
        (Workload(axes={"B": 8, "n": 3}), "B8-n3"),
        (Workload(), "default"),
        (Workload(axes={"B": 8}, seed=2, name="mine"), "mine"),
    ],
)
def test_ids(workload, name):
    assert workload.id == name


@pytest.mark.parametrize(
    ("entry", "language", "devices"),
    [
        ("a.py::f", "python", ("cpu", "cuda")),
        ("a.cpp::f", "cpp", ("cpu",)),
        ("deep/a.cu::f", "cuda", ("cuda",)),
    ],
)
def test_a_suffix_declares_language_and_devices(entry, language, devices):
    solution = Solution("a", entry)
    assert (solution.language, solution.runs_on, solution.function) == (language, devices, "f")
    assert Solution("a", entry, devices=("cuda",)).runs_on == ("cuda",)


def test_roles():
    study = make_study(("fast",), wrong=("bad",))
    assert study.solution("bad").path == "bad.py"
    with pytest.raises(KeyError):
        study.solution("none")
    assert study.axes(study.workloads[0]) == {"n": 1, "d": 1024}


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a\n", "~", "x" * 65, twin_of("a")])
def test_a_name_that_could_be_another_file_is_refused(name):
    with pytest.raises(BundleError, match="RM402"):
        decode(encode(Solution(name, "a.py::f")), Solution, where="t")
