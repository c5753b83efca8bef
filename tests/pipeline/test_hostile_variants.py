"""Variants by careless and hostile authors, with real processes: each ends as what it is.

y = x w, elementwise, in C++ and in Python, with every way to get weights, params and order wrong.
"""

from pathlib import Path

import pytest

import roofmark as rm
from roofmark import api
from roofmark.bundle import open_bundle
from roofmark.errors import StudyError
from roofmark.evidence import BuildFailed, Crashed, Incorrect, Passed
from roofmark.options import RunOptions
from roofmark.records import Missing
from roofmark.reports.html import render_html
from roofmark.reports.markdown import render_markdown
from roofmark.reports.terminal import render_terminal

CPU = RunOptions(device="cpu")
STUDY = """
import roofmark as rm

def python(name, prepare, **more):
    return rm.Solution(name, "product.py::packed", prepare=f"product.py::{prepare}", **more)

study = rm.Study(
    definition=rm.Definition(
        name="product",
        axes={"K": rm.VAR},
        inputs={"w": rm.Tensor("K", "float32"), "x": rm.Tensor("K", "float32")},
        weights=("w",),
        outputs={"y": rm.Tensor("K", "float32")},
        reference="reference.py::product",
        tolerance=rm.Tolerance(rms=1e-6),
        flops="K",
        traffic="12*K",
    ),
    workloads=[rm.Workload(axes={"K": 48}), rm.Workload(axes={"K": 7})],
    solutions=[
        rm.Solution("plain", "product.py::plain", exact="reference.py::product"),
        python("views", "views"),
        python("strided", "strided"),
        python("uneven", "uneven"),
        python("changes", "changes"),
        python("frugal", "frugal"),
        rm.Solution("writes", "product.py::writes"),
        python("raises", "raises"),
        python("exits", "exits"),
        rm.Solution("native", "product.cpp::product", prepare="product.py::views",
                    params={"OFFSET": -3, "HUGE_": 2**63 - 1}, exact="reference.py::product"),
        rm.Solution("keyword", "product.cpp::product", prepare="product.py::views",
                    params={"OFFSET": 0, "HUGE_": 1, "int": 4}),
        python("absent", "views", requires=("no_such_package",)),
        python("follows", "views", after="absent"),
        python("control", "views", after="plain"),
    ],
    wrong=[python("doubled", "doubled", exact="reference.py::product")],
    baseline="plain",
    contrasts=(
        rm.Contrast("alike", of="views", against="control"),
        rm.Contrast("code", of="views", against="plain"),
        rm.Contrast("crashed", of="views", against="exits"),
        rm.Contrast("skipped", of="absent", against="views"),
    ),
    protocol=rm.Protocol(processes=(2, 2), blocks=2, calls=2, cache="CACHE"),
)
"""
REFERENCE = """
def product(w, x):
    return x.mul_(w)
"""
PRODUCT = """
import os
import weakref
import torch

seen = []
lasting = []

def plain(x, w):
    return x * w

def packed(x, packed):
    return x * packed[: x.numel()]

def views(w):
    return {"packed": w[:]}

def strided(w):
    return {"packed": w.repeat_interleave(2)[::2]}

def uneven(w):
    seen.append(w)
    return {"packed": torch.cat([w, w.new_zeros(len(seen))])}

def changes(w):
    return {"packed": w.neg_().neg()}

def writes(x, w):
    return x * w.neg_().neg()

def frugal(w):
    if lasting and lasting[0][0] != w.numel():
        assert all(made() is None for _, made in lasting), "the last workload's tensors are kept"
        lasting.clear()
    packed = w.clone()
    lasting.append((w.numel(), weakref.ref(packed)))
    return {"packed": packed}

def doubled(w):
    return {"packed": w * 2}

def raises(w):
    raise KeyError("no such layout")

def exits(w):
    os._exit(9)
"""
NATIVE = """
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

static_assert(HUGE_ > 2147483647LL && 2 - OFFSET == 5, "params are what the study says");

void Product(tvm::ffi::TensorView x, tvm::ffi::TensorView packed, tvm::ffi::TensorView y) {
  const auto* a = static_cast<const float*>(x.data_ptr());
  const auto* b = static_cast<const float*>(packed.data_ptr());
  auto* out = static_cast<float*>(y.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = a[i] * b[i];
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(product, Product);
"""


def _write(folder: Path, cache: str = "warm", reference: str = REFERENCE) -> Path:
    folder.mkdir()
    (folder / "study.py").write_text(STUDY.replace("CACHE", cache))
    (folder / "reference.py").write_text(reference)
    (folder / "product.py").write_text(PRODUCT)
    (folder / "product.cpp").write_text(NATIVE)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> rm.Bundle:
    folder = tmp_path_factory.mktemp("hostile")
    return api.run(_write(folder / "study"), folder / "bundle", options=CPU)


def _outcomes(bundle: rm.Bundle, name: str) -> list[object]:
    return [trace.outcome for trace in bundle.traces() if trace.solution == name]


@pytest.mark.parametrize(
    "name", ["plain", "views", "strided", "uneven", "native", "control", "changes", "frugal"]
)
def test_however_weights_are_kept_what_is_right_passes(bundle: rm.Bundle, name: str) -> None:
    found = _outcomes(bundle, name)
    assert len(found) == 4 and all(isinstance(each, Passed) for each in found), found


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("writes", Incorrect, "input w was changed"),
        ("raises", Crashed, "no such layout"),
        ("exits", Crashed, "exit code 9"),
        ("keyword", BuildFailed, ""),
        ("doubled", Incorrect, "output y is wrong; output y as product is wrong"),
    ],
)
def test_what_is_wrong_ends_as_what_it_is(
    bundle: rm.Bundle, name: str, kind: type, says: str
) -> None:
    found = _outcomes(bundle, name)
    assert found and all(isinstance(each, kind) for each in found), found
    assert all(says in getattr(each, "reason", "") for each in found)


def test_who_waits_for_a_skipped_one_is_skipped(bundle: rm.Bundle) -> None:
    skipped = {each.solution: each.reason for each in bundle.run.skipped}
    assert set(skipped) == {"absent", "follows"}
    assert skipped["follows"] == "it comes after absent; not installed: no_such_package"
    assert _outcomes(bundle, "follows") == []


def test_contrasts_with_whoever_failed_are_no_claims(bundle: rm.Bundle) -> None:
    verdict = api.judge(bundle)
    found = {each.name: each for each in verdict.contrasts}
    assert found["alike"].changed == () and not found["alike"].confounded
    assert found["code"].changed == ("code",)
    assert found["crashed"].decision == "invalid"
    assert found["skipped"].decision == "undecided"
    assert isinstance(found["skipped"].speedup, Missing)
    for render in (render_terminal, render_markdown, render_html):
        assert "alike" in render(verdict, bundle)


def test_a_part_of_a_bundle_can_be_run_again(bundle: rm.Bundle, tmp_path: Path) -> None:
    options = RunOptions(device="cpu", solutions=("native",), workloads=("K7",))
    found = api.rerun(bundle, tmp_path / "again", options=options)
    again = open_bundle(tmp_path / "again")
    assert {each.name for each in again.study.solutions} == {"plain", "native"}
    assert [each.id for each in again.study.workloads] == ["K7"]
    assert found.outcome != "reproduced"
    assert {type(each) for each in _outcomes(again, "native")} == {Passed}


def test_an_exact_reference_that_fails_is_named(tmp_path: Path) -> None:
    failing = "def product(w, x):\n    return x * w\ndef own(w, x):\n    raise KeyError('own')\n"
    study = _write(tmp_path / "study", reference=failing)
    text = (study / "study.py").read_text()
    (study / "study.py").write_text(
        text.replace('exact="reference.py::product"', 'exact="reference.py::own"')
    )
    options = RunOptions(device="cpu", solutions=("plain",))
    with pytest.raises(StudyError) as refused:
        api.run(study, tmp_path / "bundle", options=options)
    (problem,) = refused.value.problems
    assert problem.where.startswith("reference.py::own") and "KeyError" in problem.fact
