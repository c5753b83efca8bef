"""Validation: one change to a sound study, and the one problem that it makes."""

import ast
import inspect
import warnings

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from small import FUNCTION, STUDY, write_study

import roofmark as rm
from roofmark.errors import StudyError
from roofmark.loading import load_study
from roofmark.records import decode, encode
from roofmark.validation import check_study, find_places, find_problems


def problems(folder):
    with pytest.raises(StudyError) as caught:
        load_study(folder)
    return caught.value.problems


CASES = [
    # what is replaced, by what, the code, a part of the fact, the line (0: not to be known)
    ('rm.Solution("cpp"', 'rm.Solution("eager"', "RM104", "2 solutions are named 'eager'", 19),
    ('"zeros", "wrong', '"eager", "wrong', "RM104", "2 solutions are named 'eager'", 19),
    ('for n in (1, 127)', 'for n in (1, 1)', "RM104", "workloads 0 and 1 are both 'n1'", 18),
    ('baseline="eager"', 'baseline="zeros"', "RM105", "'zeros' is no solution", 23),
    ('for n in (1, 127)', 'for n in ()', "RM106", "no workloads", 18),
    ('{"n": n})', '{"n": n}, held_out=True)', "RM106", "held out", 18),
    ('{"n": n})', '{"m": n})', "RM108", "binds m", 18),
    ('{"n": n})', '{"n": n, "d": 4})', "RM108", "binds n, d", 18),
    ('(1, 127)', '(1, -127)', "RM108", "axis 'n' is -127", 18),
    ('"d": 4}', '"d": 0}', "RM109", "axis 'd' is 0", 6),
    ('"d": 4}', '"d-1": 4}', "RM109", "'d-1' is no name", 6),
    ('flops="n*d"', 'flops="n*q"', "RM109", "'q' is not defined", 15),
    ('flops="n*d"', 'flops="n-128"', "RM109", "is -127", 15),
    ('traffic="8*n*d + n"', 'traffic="n-n"', "RM109", "is 0", 16),
    ('"x": rm.Tensor("n d"', '"x": rm.Tensor("n d/2"', "RM109", "not allowed", 8),
    ('"x": rm.Tensor("n d"', '"x": rm.Tensor("n-1 d"', "RM109", "(0, 4)", 8),
    ('"y": rm.Tensor("n d", "float32"', '"y": rm.Tensor("n d", "f32"', "RM131", "'f32'", 12),
    ('scalars={"k"', 'scalars={"x"', "RM113", "'x' names 2", 4),
    ('scalars={"k"', 'scalars={"lambda"', "RM113", "'lambda'", 4),
    ('rm.Integers(0, 4)', 'rm.Normal()', "RM114", "Normal values in int8", 9),
    (', rm.Integers(0, 4)', '', "RM114", "without values", 9),
    ('rm.Integers(0, 4)', 'rm.Integers(0, 129)', "RM114", "Integers(0, 129) in int8", 9),
    ('rm.Integers(0, 4)', 'rm.Integers(4, 4)', "RM114", "there are none", 9),
    ('"x": rm.Tensor("n d", "float32")', '"x": rm.Tensor("n d", "float32", rm.Integers(0, 2))',
     "RM114", "Integers in float32", 8),
    ('{"n": n})', '{"n": n}, values={"z": rm.Normal()})', "RM114", "no input", 18),
    ('"x": rm.Tensor("n d", "float32")', '"x": rm.Tensor("n d", "float32", tolerance=rm.Exact())',
     "RM115", "'x' has a tolerance", 8),
    ('"y": rm.Tensor("n d", "float32")', '"y": rm.Tensor("n d", "float32", rm.Normal())',
     "RM115", "'y' has values", 12),
    ('flops="n*d"', 'flops="n*d", mutable=("y",)', "RM116", "'y'", 15),
    ('"eager.py::scale"', '"eager.py"', "RM117", "'eager.py'", 20),
    ('"eager.py::scale"', '"eager.py::a.b"', "RM117", "a.b", 20),
    ('"reference.py::scale"', '"reference.py::scale()"', "RM117", "scale()", 13),
    ('"eager.py::scale"', '"eager.py::other"', "RM118", "no 'other'", 20),
    ('kernel.cpp::scale', 'kernel.cpp::other', "RM118", "does not mention 'other'", 21),
    ('target="avx2"', 'target="sm_90a"', "RM123", "'sm_90a' on 'kernel.cpp'", 21),
    ('"eager.py::scale"', '"eager.py::scale", target="sm_90"', "RM123", "Python file", 20),
    ('"eager.py::scale"', '"eager.py::scale", flags=("-O3",)', "RM123", "Python file", 20),
    ('margin=0.02', 'processes=(9, 5)', "RM124", "(9, 5)", 25),
    ('margin=0.02', 'call_limit=700.0', "RM124", "700.0 s", 25),
    ('baseline="eager"', 'accept=("RM503",), baseline="eager"', "RM125", "'RM503'", 23),
    ('baseline="eager"', 'accept=("RM3012",), baseline="eager"', "RM125", "'RM3012'", 23),
    ('"eager.py::scale"', '"eager.py::scale", devices=("cuda",)', "RM126", "baseline", 21),
    ('{"n": n})', '{"n": n}, name=f"{n}" * 70)', "RM103", "regex", 0),
    ('margin=0.02', 'margin=float("nan")', "RM103", "protocol.margin is nan", 25),
    ('margin=0.02', 'margin=2.0', "RM103", "protocol.margin is 2.0", 25),
    ('margin=0.02', 'tier="fast"', "RM103", "protocol.tier", 25),
    ('margin=0.02', 'processes=(6, 100)', "RM103", "protocol.processes", 25),
    ('"d": 4}', '"d": 4.0}', "RM103", "definition.axes['d'] is 4.0", 6),
    ('"d": 4}', '"d": True}', "RM103", "definition.axes['d'] is True", 6),
    ('"d": 4}', '"d": 2**50}', "RM128", "TiB of tensors", 4),
    ('"x": rm.Tensor("n d", "float32")', '"x": rm.Tensor("n d", 32)',
     "RM103", "definition.inputs['x'].dtype is 32", 8),
    ('"x": rm.Tensor("n d", "float32")', '"x": "n d"',
     "RM103", "definition.inputs['x'] is 'n d'", 8),
    ('rm.Solution("cpp", "kernel.cpp::scale", target="avx2")', '"kernel.cpp"',
     "RM103", "solutions[1]", 0),
    ('rms=1e-6', 'rms="tight"', "RM103", "definition.tolerance.rms", 14),
    ('flops="n*d"', 'flops=lambda n: n', "RM103", "definition.flops", 15),
    ('baseline="eager"', 'baseline="eager", title="\\ud800"', "RM103", "surrogate", 23),
    ('baseline="eager"', 'baseline="eager", title=None', "RM103", "title is None", 23),
    ('baseline="eager"', 'baseline="eager", title=b"x"', "RM103", "of type bytes", 23),
    ('baseline="eager"', 'accept={"RM301"}, baseline="eager"', "RM103", "of type set", 23),
    ('rm.Solution("cpp"', 'rm.Solution("Eager"', "RM104", "whatever the case", 19),
    ('[rm.Workload(axes={"n": n}) for n in (1, 127)]',
     '[rm.Workload(axes={"n": n}, name="aA"[n-1]) for n in (1, 2)]', "RM104", "both 'A'", 18),
    ('"x": rm.Tensor("n d", "float32")', '"x": rm.Tensor("", "float32", rm.Normal(unit=True))',
     "RM114", "without axes", 8),
    ('"int8", rm.Integers(0, 4)', '"int64", rm.Integers(0, 2**63)', "RM114", "in int64", 9),
    ('"int8", rm.Integers(0, 4)', '"uint64", rm.Integers(0, 2**63)', "RM114", "in uint64", 9),
    ('flops="n*d"', 'flops="-" * 400 + "n"', "RM109", "flops", 15),
    ('flops="n*d"', 'flops="9" * 400', "RM109", "a value beyond", 15),
    ('target="avx2"', 'devices=()', "RM123", "devices=()", 21),
    ('target="avx2"', 'devices=("cpu", "cpu")', "RM123", "'cpu', 'cpu'", 21),
    ('target="avx2"', 'target="avx2 -o /x"', "RM123", "'avx2 -o /x'", 21),
    ('target="avx2"', 'target="-o"', "RM123", "'-o'", 21),
    ('target="avx2"', 'flags=("",)', "RM123", "flag ''", 21),
    ('target="avx2"', 'flags=("-O3", "-D\\0")', "RM123", "flag '-D", 21),
    ('target="avx2"', 'requires=("",)', "RM123", "required package ''", 21),
    ('target="avx2"', 'requires=("a.b",)', "RM123", "required package 'a.b'", 21),
]  # fmt: skip


def test_the_study_that_every_case_changes_is_sound(tmp_path):
    load_study(write_study(tmp_path))


@pytest.mark.parametrize(("old", "new", "code", "fact", "line"), CASES)
def test_one_change_one_problem(tmp_path, old, new, code, fact, line):
    found = problems(write_study(tmp_path, (old, new)))
    told = [p for p in found if p.code == code and fact in p.fact]
    assert told, [str(p) for p in found]
    # A parameter that cannot be is also one that the functions do not take.
    assert {p.code for p in found} - ({"RM119"} if code == "RM113" else set()) == {code}
    assert all(p.meaning and p.mend and p.where for p in told)
    if line:
        assert any(f"study.py:{line}" in p.where for p in told), [p.where for p in told]


def test_everything_is_told_at_once(tmp_path):
    changes = [case[:2] for case in CASES if case[2] in ("RM105", "RM115", "RM124", "RM125")]
    sides = {old: new for old, new in changes}
    found = problems(write_study(tmp_path, *sides.items()))
    assert {"RM115", "RM124", "RM125"} <= {p.code for p in found}


def test_a_problem_of_every_workload_is_told_once(tmp_path):
    found = problems(
        write_study(tmp_path, ("(1, 127)", "range(1, 55)"), ('flops="n*d"', 'flops="q"'))
    )
    assert [p.code for p in found] == ["RM109"]
    assert "workloads[0] 'n1'" in found[0].where


@pytest.mark.parametrize(
    ("source", "fact"),
    [
        ("def scale(x, i): pass", "lacks k"),
        ("def scale(x, i, k, eps=1): pass", "takes eps"),
        ("def scale(*args): pass", "takes args"),
        ("def scale(x, i, *, k): pass", "keyword-only"),
        ("async def scale(x, i, k): pass", "async"),
        ("def other(x, i, k): pass", "no 'scale'"),
        ("def outer():\n    def scale(x, i, k): pass", "no 'scale'"),
        ("class A:\n    def scale(x, i, k): pass", "no 'scale'"),
        ("def scale(x, i, k:", "not Python"),
        ("x = '\0'", "not Python"),
    ],
)
def test_functions_that_could_not_be_called(tmp_path, source, fact):
    found = problems(write_study(tmp_path, **{"eager.py": source}))
    assert {p.code for p in found} <= {"RM118", "RM119"}
    assert any(fact in p.fact for p in found), [p.fact for p in found]
    assert all("solutions[0] 'eager', study.py:20" in p.where for p in found)


@pytest.mark.parametrize(
    "source",
    [
        "def scale(k, x, i): pass",
        "def scale(x, i, k, y): pass",
        "def scale(x, /, i, k=1): pass",
        "scale = print",
        "from math import floor as scale",
        "from somewhere import *",
        "try:\n    import a\nexcept ImportError:\n    def scale(x, i, k): pass",
        "import f\n@f.any\ndef scale(*whatever): pass",
        "def __getattr__(name): pass",
    ],
)
def test_functions_that_only_running_could_refuse(tmp_path, source):
    load_study(write_study(tmp_path, **{"eager.py": source}))


def test_the_reference_may_take_the_rest_by_name(tmp_path):
    load_study(write_study(tmp_path, **{"reference.py": "def scale(x, **rest): pass\n"}))
    found = problems(write_study(tmp_path, **{"reference.py": "def scale(x, i, k, y): pass\n"}))
    assert [p.code for p in found] == ["RM119"]


def test_a_study_made_in_python_needs_no_file():
    places = {}
    exec(STUDY, places)
    checked = check_study(places["study"])
    assert isinstance(checked.workloads, tuple)
    assert checked == check_study(checked)
    bad = rm.Study(definition=None, workloads=[], solutions=[], baseline=3)
    assert [p.code for p in find_problems(bad)] == ["RM103", "RM103"]


def test_lines_are_those_of_the_text():
    places = find_places(STUDY.encode(), "study.py").lines
    lines = STUDY.splitlines()
    assert lines[places["Solution:cpp"] - 1].strip().startswith('rm.Solution("cpp"')
    assert lines[places["Definition.flops"] - 1].strip().startswith("flops=")
    assert lines[places["key:i"] - 1].strip().startswith('"i":')
    assert ast.parse(STUDY)


def test_where_two_lines_could_be_meant_none_is_given():
    text = 'a = rm.Workload(seed=1)\nb = rm.Workload(seed=2)\nc = {"x": 1}\nd = {"x": 2}\n'
    places = find_places(text.encode(), "study.py").lines
    assert "Workload" not in places
    assert "key:x" not in places
    assert find_places(b"(", "study.py").lines == {}


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.sampled_from([UNSET, rm.Normal(), rm.Exact(), object(), {1}, range(3), 2**80, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=4,
)


def records(value):
    """Every record in a study, with how to put another in its place."""
    yield value, lambda new: new
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if isinstance(item, msgspec.Struct):
            for inner, put in records(item):
                yield (
                    inner,
                    lambda new, n=name, p=put: msgspec.structs.replace(value, **{n: p(new)}),
                )
        elif isinstance(item, tuple | list) and item and isinstance(item[0], msgspec.Struct):
            for inner, put in records(item[0]):
                yield (
                    inner,
                    lambda new, n=name, p=put, rest=item[1:]: msgspec.structs.replace(
                        value, **{n: [p(new), *rest]}
                    ),
                )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_in_any_field_is_a_problem_or_a_study(data):
    made = {}
    exec(STUDY, made)
    record, put = data.draw(st.sampled_from(list(records(made["study"]))))
    name = data.draw(st.sampled_from(record.__struct_fields__))
    study = put(msgspec.structs.replace(record, **{name: data.draw(JUNK)}))
    try:
        checked = check_study(study)
    except StudyError as error:
        assert all(each.code.startswith("RM1") and each.fact for each in error.problems)
    else:
        assert check_study(decode(encode(checked), rm.Study, where="t")) == checked


def test_a_warning_in_a_kernel_s_file_is_no_problem(tmp_path):
    source = "def scale(x, i, k):\n    return '\\d'\n"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        load_study(write_study(tmp_path, **{"eager.py": source}))
    assert told == []


def test_a_check_needs_no_torch():
    import roofmark.validation.tensors as tensors

    assert "import torch" not in inspect.getsource(tensors)
    assert FUNCTION
