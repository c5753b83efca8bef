"""A bundle as a FlashInfer-Trace data set: what it says is what was judged, and nothing is lost."""

import json
import math
import subprocess
import sys
import types
from pathlib import Path

import pytest
from small import write_study

from roofmark import api
from roofmark.analysis.compare import estimate_time
from roofmark.analysis.decide import set_scene
from roofmark.bundle import BundleWriter, open_bundle
from roofmark.cli import main
from roofmark.errors import BundleError
from roofmark.evidence import Incorrect, Run
from roofmark.exporting import export
from roofmark.exporting.axes import name_axes
from roofmark.exporting.definition import text_of, workload_values
from roofmark.importers import read_foreign
from roofmark.loading import load_study
from roofmark.profiled import NotProfiled, PairProfile
from roofmark.records import Missing
from roofmark.study import VAR, Definition, Study, Tensor, Tolerance, Workload
from roofmark.testing import (
    FAILURES,
    simulated_build,
    simulated_traces,
    small_environment,
)

_CALL = """
import torch
from exported_package.roofmark_entry import run
y = torch.zeros(2)
run(torch.ones(2), None, 2.0, y)
assert y.tolist() == [6, 6]
"""
EVIDENCE = Path(__file__).parents[2] / "evidence"


def seal(tmp_path, *changes, ratios=None, profiles=(), **files):
    """Seal a bundle of the small study, changed; its times are drawn."""
    loaded = load_study(write_study(tmp_path / "study", *changes, **files))
    study, folder = loaded.study, tmp_path / "bundle"
    with BundleWriter(folder) as writer:
        for data in loaded.contents.values():
            writer.write_source(data)
        writer.write("study.json", study)
        writer.write("environment.json", small_environment("cpu"))
        empty = Run(device="cpu", entropy="00", confirmation=False, skipped=(), sessions=())
        writer.write("run.json", empty)
        for solution in (*study.solutions, *study.wrong):
            writer.write_build(simulated_build(study, solution.name, "cpu"))
        for trace in simulated_traces(study, ratios=ratios, device="cpu"):
            writer.append(trace)
        for profile in profiles:
            writer.write_profile(profile)
        writer.seal({})
    return folder


def values(folder, pattern):
    (path,) = folder.glob(pattern)
    return json.loads(path.read_text())


def lines(folder, pattern):
    (path,) = folder.glob(pattern)
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- the evidence --------------------------------------------------------------------------------
@pytest.mark.parametrize("device", ["h200", "cpu"])
def test_evidence_goes_out_and_comes_back(tmp_path, device):
    path = EVIDENCE / f"2026-11-21-gdn-decode-{device}"
    bundle = open_bundle(path)
    study = bundle.study
    written = export(path, tmp_path / "out", op_type="gdn", author="me")
    assert sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file()) == sorted(written)

    (definition,) = read_foreign(tmp_path / "out/definitions/gdn/gdn_decode.json").contents
    assert (definition.name, definition.kind) == ("gdn_decode", "gdn")
    named = name_axes(study.definition)
    for workload in study.workloads:
        sizes = named.bind(study, workload)
        axes = definition.axes | sizes
        for name, tensor in (study.definition.inputs | study.definition.outputs).items():
            found = (definition.inputs | definition.outputs)[name]
            assert found.dtype == tensor.dtype
            assert tuple(axes[a] for a in found.shape) == tensor.dims(study.axes(workload))
    assert isinstance(definition.inputs["scale"].shape, Missing)

    (workloads,) = read_foreign(tmp_path / "out/workloads/gdn/gdn_decode.jsonl").contents
    assert [w.name for w in workloads.workloads] == [w.id for w in study.workloads]
    assert {w.inputs["scale"].value for w in workloads.workloads} == {128**-0.5}

    for solution in (*study.solutions, *study.wrong):
        file = tmp_path / f"out/solutions/gdn_decode/{solution.name}.json"
        (found,) = read_foreign(file).contents
        assert found.name == f"gdn_decode_{solution.name}"
        assert found.author == ("baseline" if solution.name == "eager" else "me")
        for source in solution.files:
            assert found.sources[source].encode() == bundle.source(study.files[source])

    results = read_foreign(tmp_path / "out/traces/gdn/gdn_decode.jsonl")
    shown = {
        (group.settings["solution"].removeprefix("gdn_decode_"), f.label): f.value
        for group in results.contents
        for f in group.figures
    }
    cells = [c for c in api.judge(bundle).cells if not c.solution.endswith("~twin")]
    assert cells
    for cell in cells:
        axes = f"B {study.axes(next(w for w in study.workloads if w.id == cell.workload))['B']}"
        label = f"{cell.workload}, {axes}"
        latency = shown[cell.solution, f"{label}: latency"]
        assert latency == pytest.approx(cell.time.value, rel=1e-12)
        assert shown["eager", f"{label}: latency"] == pytest.approx(cell.baseline_time.value)
        speedup = shown[cell.solution, f"{label}: speed-up"]
        assert speedup == pytest.approx(cell.baseline_time.value / cell.time.value)
    refused = [r for r in results.completeness.reasons if "INCORRECT_NUMERICAL" in r]
    assert len(refused) == sum(t.role == "wrong" for t in bundle.traces())


def test_flashinfer_bench_itself_reads_it(tmp_path):
    data = pytest.importorskip("flashinfer_bench.data")
    export(EVIDENCE / "2026-11-21-gdn-decode-h200", tmp_path)
    found = data.TraceSet.from_path(str(tmp_path))
    assert len(found.traces["gdn_decode"]) == 54 * 3 + 9 * 3


# --- definitions and workloads -------------------------------------------------------------------
def test_the_reference_runs_by_position_and_gives_the_declared_dtypes(tmp_path):
    torch = pytest.importorskip("torch")
    seen = []
    reference = (
        "def scale(x, i, k):\n    seen.append((x.dtype, i.dtype))\n    return {'y': x * k}\n"
    )
    export(seal(tmp_path, **{"reference.py": reference}), tmp_path / "out")
    definition = values(tmp_path / "out", "definitions/*/*.json")
    module = types.ModuleType("reference")
    module.seen = seen
    exec(definition["reference"], module.__dict__)
    x, i = torch.ones(3, 4), torch.zeros(3, dtype=torch.int8)
    found = module.run(x, i, 2.0)
    assert seen == [(torch.float64, torch.int8)]
    assert found.dtype == torch.float32 and torch.equal(found, 2 * x)
    assert list(definition["inputs"]) == ["x", "i", "k"]
    assert definition["inputs"]["k"] == {"shape": None, "dtype": "float32"}


def test_every_size_becomes_an_axis():
    definition = Definition(
        name="odd",
        axes={"n": VAR, "m": VAR, "d": 8, "size_3": VAR},
        inputs={"x": Tensor("n d 4 d//2", "float32"), "z": Tensor("size_3 2*m 3", "int8")},
        outputs={"y": Tensor("n 2*m m*2", "float32")},
        reference="reference.py::odd",
        tolerance=Tolerance(rms=1e-3),
        flops="n",
        traffic="n",
        scalars={"s": 2, "t": "n*d"},  # an expression, where scalars may be one
    )
    named = name_axes(definition)
    assert named.shapes["x"] == ["n", "d", "size_4", "size_4"]
    assert named.shapes["z"] == ["size_3", "size_2_m", "size_3_"]
    assert named.shapes["y"] == ["n", "size_2_m", "size_m_2"]
    assert named.computed == {"size_2_m": "2*m", "size_m_2": "m*2"}
    assert named.axes == {
        "n": "var", "d": 8, "size_3": "var", "size_4": 4, "size_2_m": "var", "size_3_": 3,
        "size_m_2": "var",
    }  # fmt: skip
    assert named.unused == ("m",)
    workload = Workload(axes={"n": 5, "m": 7, "size_3": 11})
    study = Study(definition=definition, workloads=(workload,), solutions=(), baseline="")
    found = workload_values(study, workload, named)
    assert found["axes"] == {"n": 5, "size_3": 11, "size_2_m": 14, "size_m_2": 14}
    assert [found["inputs"][name]["value"] for name in ("s", "t")] == [2, 40]


@pytest.mark.parametrize(
    ("change", "files", "told"),
    [
        (("int8", "uint8"), {}, "i has the dtype uint8"),
        (
            ("margin=0.02", "margin=0.03"),
            {"reference.py": "def run(x): ...\ndef scale(x, i, k):\n    return run(x)\n"},
            "uses the name `run`",
        ),
    ],
)
def test_what_cannot_be_said_at_all_is_refused(tmp_path, change, files, told):
    bundle = seal(tmp_path, change, **files)
    with pytest.raises(BundleError, match="RM420") as caught:
        export(bundle, tmp_path / "out")
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_no_text_is_refused():
    with pytest.raises(BundleError, match=r"kernel\.cu is no UTF-8 text: byte 2"):
        text_of({"kernel.cu": b"//\xff"}, "kernel.cu")


# --- solutions -----------------------------------------------------------------------------------
def test_python_entries_are_called_by_name(tmp_path):
    files = {
        "eager.py": "import helper\ndef scale(k, y, i, x, STEP):\n    y += STEP * k * x\n",
        "helper.py": "",
    }
    change = (
        'rm.Solution("eager", "eager.py::scale")',
        'rm.Solution("eager", "eager.py::scale", sources=("helper.py",), params={"STEP": 3})',
    )
    export(seal(tmp_path, change, **files), tmp_path / "out")
    solution = values(tmp_path / "out", "solutions/*/eager.json")
    assert solution["spec"]["destination_passing_style"] is True
    assert solution["spec"]["language"] == "python"
    # As their builder does it: a package of its own, imported by name.
    for source in solution["sources"]:
        path = tmp_path / "built" / "exported_package" / source["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source["content"])
    done = subprocess.run(
        [sys.executable, "-c", _CALL],
        cwd=tmp_path / "built",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_macros_are_written_out_and_the_build_is_told(tmp_path):
    change = ('target="avx2"', 'target="avx2", flags=("-fopenmp",), params={"STEP": 3}')
    export(seal(tmp_path, change), tmp_path / "out")
    solution = values(tmp_path / "out", "solutions/*/cpp.json")
    assert solution["spec"]["binding"] == "tvm-ffi"
    assert solution["spec"]["entry_point"] == "kernel.cpp::scale"
    assert solution["sources"][0]["content"].startswith("#define STEP 3\nTVM_FFI")
    page = (tmp_path / "out/README.md").read_text()
    assert "built here for `avx2 -fopenmp`" in page and '`{"STEP":3}`' in page


def test_what_prepares_its_weights_is_left_out_and_named(tmp_path):
    changes = (
        ("scalars={", 'weights=("i",), mutable=("x",),\n        scalars={'),
        ('rm.Solution("cpp", "kernel.cpp::scale", target="avx2"),',
         'rm.Solution("packed", "eager.py::scale", prepare="prepare.py::pack", after="eager"),'),
    )  # fmt: skip
    bundle = seal(tmp_path, *changes, **{"prepare.py": "def pack(i):\n    return {'i': i}\n"})
    export(bundle, tmp_path / "out")
    assert not (tmp_path / "out/solutions/scale/packed.json").exists()
    assert {t["solution"] for t in lines(tmp_path / "out", "traces/*/*")} == {
        "scale_eager",
        "scale_zeros",
    }
    page = (tmp_path / "out/README.md").read_text()
    for told in (
        "`scale_packed`: not exported: it prepares its weights",
        "`prepare` is `prepare.py::pack`; `after` is `eager`",
        "`weights`: `i`",
        "`mutable`: `x`",
    ):
        assert told in page


# --- traces --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fate", "status"),
    [
        ("incorrect", "INCORRECT_NUMERICAL"),
        ("build_failed", "COMPILE_ERROR"),
        ("crashed", "RUNTIME_ERROR"),
        ("timed_out", "TIMEOUT"),
    ],
)
def test_failures_keep_their_kind_and_have_no_speed(tmp_path, fate, status):
    export(seal(tmp_path, ratios={"cpp": FAILURES[fate]}), tmp_path / "out")
    found = [t for t in lines(tmp_path / "out", "traces/*/*") if t["solution"] == "scale_cpp"]
    assert len(found) == 2
    for trace in found:
        evaluation = trace["evaluation"]
        assert evaluation["status"] == status and "performance" not in evaluation
        assert ("correctness" in evaluation) == (fate == "incorrect")
        assert evaluation["log"]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("returned y with shape [1]; the definition says [2]", "INCORRECT_SHAPE"),
        ("returned y with dtype torch.int8; the definition says ...", "INCORRECT_DTYPE"),
        ("returned 3 values", "RUNTIME_ERROR"),
    ],
)
def test_what_could_not_be_compared(tmp_path, reason, status):
    wrong = Incorrect(build="0" * 64, checks=(), reason=reason)
    export(seal(tmp_path, ratios={"cpp": wrong}), tmp_path / "out")
    found = [t for t in lines(tmp_path / "out", "traces/*/*") if t["solution"] == "scale_cpp"]
    assert {t["evaluation"]["status"] for t in found} == {status}


def test_what_passed_says_how_it_was_measured(tmp_path):
    path = seal(tmp_path, ratios={"cpp": 2.0})
    export(path, tmp_path / "out")
    bundle = open_bundle(path)
    scene = set_scene(bundle.study, "cpu", bundle.traces())
    found = lines(tmp_path / "out", "traces/*/*")
    (trace,) = [
        t for t in found if t["solution"] == "scale_cpp" and t["workload"]["axes"] == {"n": 127}
    ]
    evaluation = trace["evaluation"]
    series = scene.series["n127", "cpp"]
    time = estimate_time(series, "call", bundle.study.protocol, resolution=scene.resolution)
    assert evaluation["performance"]["latency_ms"] == pytest.approx(1e3 * time.value)
    assert evaluation["performance"]["speedup_factor"] == pytest.approx(2.0, rel=0.05)
    assert "call tier, cold cache" in evaluation["log"]
    assert "judged faster, paired speed-up" in evaluation["log"]
    assert api.judge(bundle).bundle in evaluation["log"]
    # An error of ours is none of theirs, and 0 would say that there is none.
    assert math.isnan(float(evaluation["correctness"]["max_absolute_error"]))
    assert evaluation["correctness"]["extra"]["y"]["rms"] > 0
    assert evaluation["environment"]["libs"]["torch"] == "2.13.0"
    assert evaluation["timestamp"] == "unknown"


def test_what_was_judged_invalid_has_no_trace(tmp_path):
    export(seal(tmp_path, ratios={"zeros": 1.0}), tmp_path / "out")
    assert list((tmp_path / "out").glob("traces/*/*")) == []
    page = (tmp_path / "out/README.md").read_text()
    assert "`cpp` on `n1`, `n127`: judged invalid: RM110." in page
    assert "`eager` on `n1`, `n127`: judged invalid: RM110." in page
    assert "`zeros` on `n1`, `n127`: it is wrong on purpose and was not refused." in page


def test_what_was_not_measured_is_told(tmp_path):
    absent = Missing(reason="it cannot be captured")
    export(seal(tmp_path, ratios={"cpp": absent}), tmp_path / "out")
    assert {t["solution"] for t in lines(tmp_path / "out", "traces/*/*")} == {
        "scale_eager",
        "scale_zeros",
    }
    assert "`cpp` on `n1`, `n127`: no sample" in (tmp_path / "out/README.md").read_text()


def test_profiles_are_told(tmp_path):
    unseen = NotProfiled(kind="no_cuda", reason="no GPU", mend="")
    profile = PairProfile(workload="n1", solution="cpp", bundle="0" * 64, outcome=unseen)
    export(seal(tmp_path, profiles=[profile]), tmp_path / "out")
    assert "1 profile is in the bundle alone" in (tmp_path / "out/README.md").read_text()


# --- the command ---------------------------------------------------------------------------------
def test_the_command_writes_once(tmp_path, capfd):
    bundle = seal(tmp_path)
    out = tmp_path / "out"
    assert main(["export", str(bundle), "-o", str(out), "--json"]) == 0
    said = capfd.readouterr()
    assert str(out / "README.md") in json.loads(said.out)
    assert said.err.splitlines()[-1] == f"Wrote {out}"
    assert main(["export", str(bundle), "-o", str(out)]) == 2
    assert "error[RM409]" in capfd.readouterr().err
    assert main(["export", str(bundle), "-o", str(out), "--force"]) == 0
    assert main(["export", str(bundle), "-o", str(out), "--op-type", "../x"]) == 2
    assert main(["export", str(bundle), "-o", str(out), "--author", " "]) == 2
    assert main(["export", str(tmp_path / "study"), "-o", str(out)]) == 4
