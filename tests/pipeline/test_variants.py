"""A study of variants with real processes: weights, preparation, params, exact order, contrasts.

y = sum over k of w[k] x[k], in SPLIT parts that are summed left to right: each SPLIT has its own
rounding, which the definition's float64 reference tolerates and `exact` demands.
"""

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

import roofmark as rm
from roofmark import api
from roofmark.errors import StudyError
from roofmark.evidence import Crashed, Deviation, Incorrect, Passed
from roofmark.loading import load_study
from roofmark.narrowing import narrow_study
from roofmark.options import RunOptions
from roofmark.reports.markdown import render_markdown
from roofmark.reports.terminal import render_terminal

CPU = RunOptions(device="cpu")
STUDY = """
import roofmark as rm

split = rm.Solution(
    "dot", "dot.py::dot", prepare="dot.py::pack", exact="reference.py::in_parts"
)
parts = rm.sweep(split, SPLIT=(1, 4))
later = rm.Solution("later", "dot.py::dot", prepare="dot.py::pack", params={{"SPLIT": 4}},
                    exact="reference.py::in_parts", after="{after}")
other_order = rm.Solution("backwards", "dot.py::dot_backwards", prepare="dot.py::pack",
                          params={{"SPLIT": 1}}, exact="reference.py::in_parts")
study = rm.Study(
    definition=rm.Definition(
        name="dot",
        axes={{"K": 64}},
        # Positive, because a sum that nearly cancels is far from any reference.
        inputs={{"x": rm.Tensor("K", "float32", rm.Uniform()),
                "w": rm.Tensor("K", "float32", rm.Uniform())}},
        weights=("w",),
        outputs={{"y": rm.Tensor("1", "float32")}},
        reference="reference.py::dot",
        tolerance=rm.Tolerance(rms=1e-4),
        flops="2*K",
        traffic="4*(2*K + 1)",
    ),
    workloads=[rm.Workload()],
    solutions=[rm.Solution("plain", "plain.py::dot", traffic="4*(3*K + 1)"),
               *parts, later, other_order],
    baseline="plain",
    contrasts=(rm.Contrast("parts", of="dot-split4", against="dot-split1"),
               rm.Contrast("both", of="dot-split4", against="backwards")),
    protocol=rm.Protocol(processes=(2, 2), blocks=2, calls=2),
)
"""
REFERENCE = """
import torch

def dot(x, w):
    return (x * w).sum().reshape(1)

def in_parts(x, w, SPLIT):
    assert x.dtype == torch.float32
    total = torch.zeros((), dtype=torch.float32)
    for part in range(SPLIT):
        own = torch.zeros((), dtype=torch.float32)
        for k in range(part * 64 // SPLIT, (part + 1) * 64 // SPLIT):
            own = own + x[k] * w[k]
        total = total + own
    return total.reshape(1)
"""
DOT = """
def pack(w):
    assert not hasattr(pack, "x")
    return {"packed": w.clone()}

def dot(x, packed, SPLIT):
    total = x.new_zeros(())
    for part in range(SPLIT):
        own = x.new_zeros(())
        for k in range(part * 64 // SPLIT, (part + 1) * 64 // SPLIT):
            own = own + x[k] * packed[k]
        total = total + own
    return total.reshape(1)

def dot_backwards(x, packed, SPLIT):
    own = x.new_zeros(())
    for k in reversed(range(64)):
        own = own + x[k] * packed[k]
    return own.reshape(1)
"""
PLAIN = "def dot(x, w):\n    return (x * w).sum().reshape(1)\n"


def _write(folder: Path, after: str = "dot-split1", dot: str = DOT) -> Path:
    folder.mkdir()
    (folder / "study.py").write_text(STUDY.format(after=after))
    (folder / "reference.py").write_text(REFERENCE)
    (folder / "dot.py").write_text(dot)
    (folder / "plain.py").write_text(PLAIN)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> rm.Bundle:
    folder = tmp_path_factory.mktemp("variants")
    return api.run(_write(folder / "study"), folder / "bundle", options=CPU)


def _only(name: str) -> RunOptions:
    return dataclasses.replace(CPU, solutions=(name,))


def _outcomes(bundle: rm.Bundle, name: str) -> list[object]:
    return [trace.outcome for trace in bundle.traces() if trace.solution == name]


def test_each_split_equals_the_reference_of_its_own_order(bundle: rm.Bundle) -> None:
    for name in ("dot-split1", "dot-split4", "later"):
        for outcome in _outcomes(bundle, name):
            assert isinstance(outcome, Passed)
            checks = {check.output: check.error for check in outcome.checks}
            assert checks["y as in_parts"] == Deviation(rms=0.0, peak=0.0)
            assert isinstance(checks["y"], Deviation) and checks["y"].rms > 0


def test_another_order_is_near_enough_and_yet_not_exact(bundle: rm.Bundle) -> None:
    (first, *_) = _outcomes(bundle, "backwards")
    assert isinstance(first, Incorrect) and "y as in_parts is wrong" in first.reason
    assert [check.passed for check in first.checks] == [True, False]


def test_contrasts_say_what_differs_and_what_confounds(bundle: rm.Bundle) -> None:
    verdict = api.judge(bundle)
    parts, both = verdict.contrasts
    assert parts.changed == ("SPLIT 1 -> 4",) and not parts.confounded
    # More parts are no less work; how much more is not to be told from two short processes.
    assert isinstance(parts.speedup, rm.Estimate) and parts.decision != "faster"
    assert both.confounded and both.decision == "invalid"
    for page in (render_terminal(verdict, bundle), render_markdown(verdict, bundle)):
        assert "confounded" in page and "SPLIT 1" in page


def test_weights_stay_and_inputs_change(tmp_path: Path) -> None:
    watching = DOT.replace(
        "def dot(x, packed, SPLIT):",
        "seen = {}\n\ndef dot(x, packed, SPLIT):\n"
        "    weights = seen.setdefault(packed.data_ptr(), packed.clone())\n"
        "    assert (packed == weights).all(), 'other weights'\n",
    )
    study = _write(tmp_path / "study", dot=watching)
    bundle = api.run(study, tmp_path / "out", options=_only("dot-split4"))
    found = _outcomes(bundle, "dot-split4")
    assert all(isinstance(each, Passed) for each in found), found
    changed = DOT.replace(
        "def dot(x, packed, SPLIT):",
        "seen = {}\n\ndef dot(x, packed, SPLIT):\n"
        "    first = seen.setdefault(packed.data_ptr(), x.clone())\n"
        "    assert (x == first).all(), 'other inputs'\n",
    )
    (study / "dot.py").write_text(changed)
    bundle = api.run(study, tmp_path / "again", options=_only("dot-split4"))
    (first, *_) = _outcomes(bundle, "dot-split4")
    assert isinstance(first, Crashed) and "other inputs" in first.reason


def test_who_waits_for_a_wrong_one_is_not_tried(tmp_path: Path) -> None:
    # Adding backwards alone gives the same bits now and then.
    wrong = DOT.replace("return own.reshape(1)", "return (own + 1).reshape(1)")
    study = _write(tmp_path / "study", after="backwards", dot=wrong)
    bundle = api.run(study, tmp_path / "out", options=_only("later"))
    assert {s.name for s in bundle.study.solutions} == {"plain", "later", "backwards"}
    assert bundle.study.contrasts == ()
    (first, *_) = _outcomes(bundle, "later")
    assert isinstance(first, Crashed) and "comes after backwards" in first.reason


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"after": "nobody"}, "RM132", "no solution"),
        ({"after": "dot-split4"}, "RM132", "waits for itself"),
        ({"params": {"x": 1}}, "RM113", "param 'x'"),
        ({"prepare": "dot.cpp::pack"}, "RM117", "prepare"),
        ({"prepare": "dot.py::absent"}, "RM118", "absent"),
        ({"exact": "reference.py::dot", "params": {"w": 2}}, "RM113", "param 'w'"),
        ({"traffic": "4*Q"}, "RM109", "traffic"),
        ({"exact": "dot.py::dot"}, "RM134", "a file of solution 'dot-split1'"),
        ({"params": {"SPLIT": 2**63}}, "RM103", "params['SPLIT'] is 9223372036854775808"),
    ],
)
def test_a_variant_that_cannot_be_is_told(
    tmp_path: Path, change: dict[str, object], code: str, says: str
) -> None:
    loaded = load_study(_write(tmp_path / "study"))
    solutions = tuple(
        replace(each, **change) if each.name == "dot-split4" else each
        for each in loaded.study.solutions
    )
    with pytest.raises(StudyError) as refused:
        _reload(tmp_path, replace(loaded.study, solutions=solutions))
    assert any(each.code == code and says in each.fact for each in refused.value.problems)


def test_contrasts_and_weights_name_what_is_there(tmp_path: Path) -> None:
    study = load_study(_write(tmp_path / "study")).study
    wrong = replace(
        study,
        contrasts=(rm.Contrast("c", of="plain", against="plain"),
                   rm.Contrast("c", of="plain", against="nobody")),
        definition=replace(study.definition, weights=("v",)),
    )  # fmt: skip
    with pytest.raises(StudyError) as refused:
        _reload(tmp_path, wrong)
    assert {each.code for each in refused.value.problems} >= {"RM133", "RM116", "RM104"}


def test_something_has_to_change_from_call_to_call(tmp_path: Path) -> None:
    study = load_study(_write(tmp_path / "study")).study
    still = replace(study, definition=replace(study.definition, weights=("w", "x")))
    with pytest.raises(StudyError, match="every input is a weight"):
        _reload(tmp_path, still)


def _reload(folder: Path, study: rm.Study) -> None:
    from roofmark.validation import check_study

    contents = {path.name: path.read_bytes() for path in (folder / "study").iterdir()}
    check_study(study, None, contents)


def test_a_filter_keeps_those_that_are_waited_for(tmp_path: Path) -> None:
    study = load_study(_write(tmp_path / "study")).study
    asked = narrow_study(study, _only("later"))
    assert {each.name for each in asked.solutions} == {"plain", "later", "dot-split1"}
