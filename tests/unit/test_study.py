"""The study's own small arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import make_study

from roofmark.errors import BundleError
from roofmark.records import decode, digest, encode, encode_pretty
from roofmark.study import (
    Definition,
    Exact,
    Integers,
    Normal,
    Protocol,
    Solution,
    Study,
    Tensor,
    Tolerance,
    Uniform,
    Workload,
    twin_of,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-300, max_value=1e30)
NAMES = st.text("abcXYZ059", min_size=1, max_size=6)
VALUES = (
    st.builds(Normal, POSITIVE, FINITE, st.booleans())
    | st.builds(Uniform, FINITE, FINITE)
    | st.builds(Integers, low=st.integers(-(2**63), 0), high=st.integers(1, 2**63))
)
TOLERANCES = st.builds(Exact) | st.builds(Tolerance, rms=POSITIVE, peak=POSITIVE)
TENSORS = st.dictionaries(
    NAMES,
    st.builds(Tensor, st.text(max_size=9), NAMES)
    | st.builds(Tensor, st.text(max_size=9), NAMES, values=VALUES, tolerance=TOLERANCES),
    max_size=4,
)
STUDIES = st.builds(
    Study,
    definition=st.builds(
        Definition,
        name=NAMES,
        axes=st.dictionaries(NAMES, st.integers(1, 2**40) | st.just("var"), max_size=4),
        inputs=TENSORS,
        outputs=TENSORS,
        reference=NAMES,
        tolerance=TOLERANCES,
        flops=st.text(max_size=9),
        traffic=st.text(max_size=9),
        scalars=st.dictionaries(NAMES, FINITE | st.integers(-(2**63), 2**63), max_size=3),
        mutable=st.tuples() | st.tuples(NAMES),
    ),
    workloads=st.tuples(
        st.builds(
            Workload,
            axes=st.dictionaries(NAMES, st.integers(1, 99), max_size=4),
            seed=st.integers(),
            values=st.dictionaries(NAMES, VALUES, max_size=2),
            name=NAMES,
        )
    ),
    solutions=st.tuples(
        st.builds(Solution, name=NAMES, entry=st.text(max_size=9), target=NAMES),
        st.builds(Solution, name=NAMES, entry=NAMES, devices=st.just(("cpu",))),
    ),
    baseline=NAMES,
    protocol=st.builds(Protocol, margin=st.floats(1e-6, 0.99)),
    files=st.dictionaries(NAMES, NAMES, max_size=4),
)


@given(STUDIES)
def test_any_study_comes_back_to_the_last_bit_and_in_its_order(study):
    for data in (encode(study), encode_pretty(study)):
        again = decode(data, Study, where="t")
        assert again == study
        assert digest(again) == digest(study)
        assert list(again.definition.inputs) == list(study.definition.inputs)
        assert again.workloads[0].id == study.workloads[0].id


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
