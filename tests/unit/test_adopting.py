"""A study from FlashInfer-Trace files: it loads as it was made and says what is to be filled in."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from roofmark.adopting import adopt
from roofmark.cli import main
from roofmark.errors import RoofmarkError
from roofmark.loading import load_study
from roofmark.reports.markdown import escape
from roofmark.study import DTYPE_BYTES, Exact, Integers, Tolerance
from roofmark.text_files import write_files

DEFINITION = {
    "name": "norm_d64",
    "op_type": "norm",
    "axes": {"n": {"type": "var"}, "d": {"type": "const", "value": 64}},
    "inputs": {
        "x": {"shape": ["n", "d"], "dtype": "bfloat16"},
        "eps": {"shape": None, "dtype": "float32"},
        "w": {"shape": ["d"], "dtype": "float32"},
        "rows": {"shape": ["n"], "dtype": "int32"},
    },
    "outputs": {
        "y": {"shape": ["n", "d"], "dtype": "bfloat16"},
        "scale": {"shape": ["n"], "dtype": "float32"},
        "kept": {"shape": ["n"], "dtype": "bool"},
    },
    "constraints": ["n > 0"],
    "reference": "import sys\nsys.exit(3)\n\ndef run(hidden, epsilon, weight, rows):\n    ...\n",
}
PYTHON = {
    "name": "fast norm!",
    "definition": "norm_d64",
    "author": "someone",
    "spec": {
        "language": "triton",
        "target_hardware": ["NVIDIA_H100"],
        "entry_point": "src/main.py::run",
        "dependencies": ["torch", "flash-attn >= 2"],
        "destination_passing_style": True,
    },
    "sources": [
        {"path": "src/main.py", "content": "from .helper import run\n"},
        {"path": "src/helper.py", "content": "def run(*args): ...\n"},
    ],
}
CUDA = {
    "name": "norm_cuda",
    "definition": "norm_d64",
    "author": "someone",
    "spec": {
        "language": "cuda",
        "target_hardware": ["NVIDIA_B200"],
        "entry_point": "src/norm.cu::norm",
        "binding": "tvm-ffi",
    },
    "sources": [
        {"path": "src/norm.cu", "content": "TVM_FFI_DLL_EXPORT_TYPED_FUNC(norm, Norm);\n"},
        {"path": "src/norm.h", "content": ""},
    ],
}


def workload(uuid, n, eps=1e-6, rows=None):
    inputs = {
        "x": {"type": "random"},
        "eps": {"type": "scalar", "value": eps},
        "w": {"type": "random"},
        "rows": rows or {"type": "random"},
    }
    one = {"uuid": uuid, "axes": {"n": n}, "inputs": inputs}
    return {"definition": "norm_d64", "workload": one, "solution": None, "evaluation": None}


WORKLOADS = [workload("a1", 8), workload("a/2", 127)]


def trailing(definition=DEFINITION):
    """The definition with its scalar behind the tensors, as compiled entries take it."""
    made = copy.deepcopy(definition)
    made["inputs"]["eps"] = made["inputs"].pop("eps")
    return made


def made(tmp_path, definition=DEFINITION, workloads=WORKLOADS, solutions=()):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    lines = "".join(json.dumps(each) + "\n" for each in workloads or ())
    return adopt(
        write("definition.json", json.dumps(definition)),
        workloads=write("workloads.jsonl", lines) if workloads else None,
        solutions=[write(f"s{i}.json", json.dumps(each)) for i, each in enumerate(solutions)],
    )


def as_loaded(found, folder):
    write_files(folder, found.files, force=True)
    return replace(load_study(folder).study, files={})


def test_the_study_loads_as_it_was_made(tmp_path):
    found = made(tmp_path, trailing(), solutions=[PYTHON, CUDA])
    study = as_loaded(found, tmp_path / "study")
    assert study == found.study
    definition = study.definition
    assert definition.axes == {"n": "var", "d": 64}
    assert list(definition.inputs) == ["x", "w", "rows"]
    assert definition.scalars == {"eps": 1e-6}
    assert definition.inputs["rows"].values == Integers(-1024, 1024)
    assert definition.tolerance == Tolerance(rms=1e-2, peak=0.05)
    assert definition.outputs["scale"].tolerance == Tolerance(rms=1e-5, peak=1e-3)
    assert definition.outputs["kept"].tolerance == Exact()
    assert definition.reference_dtype == "native" and definition.flops == "0"
    assert definition.traffic == f"{2 * 64 + 4 + 2 * 64 + 4 + 1}*n + {4 * 64}"
    assert [w.id for w in study.workloads] == ["a1", "a-2"]
    assert study.baseline == "reference"


def test_every_input_and_output_is_counted_once(tmp_path):
    definition = made(tmp_path).study.definition
    for n in (1, 127):
        axes = {"n": n, "d": 64}
        tensors = [*definition.inputs.values(), *definition.outputs.values()]
        moved = sum(tensor.size(axes) for tensor in tensors)
        assert eval(definition.traffic, {}, axes) == moved


def test_solutions_keep_their_files_and_are_called_in_their_order(tmp_path):
    found = made(tmp_path, trailing(), solutions=[PYTHON, CUDA])
    fast, cuda = found.study.solutions[1:]
    assert fast.name == "fast-norm-" and fast.entry == "entries/fast_norm_.py::run"
    assert fast.devices == ("cuda",) and fast.requires == ("flash_attn", "triton")
    entry = found.files["entries/fast_norm_.py"]
    assert "import flashinfer_solutions.fast_norm_.src.main as theirs_" in entry
    names = "x, w, rows, eps, y, scale, kept"
    assert f"def run({names}):\n    theirs_.run({names})" in entry
    assert cuda.entry == "flashinfer_solutions/norm_cuda/src/norm.cu::norm"
    assert cuda.sources == ("flashinfer_solutions/norm_cuda/src/norm.h",)
    assert cuda.runs_on == ("cuda",)
    assert found.files["flashinfer_solutions/norm_cuda/src/norm.cu"].startswith("TVM_FFI")


def test_the_reference_is_kept_and_called_by_name(tmp_path):
    text = made(tmp_path).files["reference.py"]
    assert text.startswith(DEFINITION["reference"].rstrip())
    assert (
        "def roofmark_reference(x, eps, w, rows):\n    return _by_position(x, eps, w, rows)" in text
    )


def test_two_solutions_of_one_name_are_told_apart(tmp_path):
    alike = [PYTHON, PYTHON | {"name": "fast-norm-"}, PYTHON | {"name": "REFERENCE"}]
    found = made(tmp_path, solutions=alike)
    names = [each.name for each in found.study.solutions]
    assert names == ["reference", "fast-norm-", "fast-norm--2", "REFERENCE-2"]
    assert as_loaded(found, tmp_path / "study") == found.study


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "TO FILL: the tolerance"),
        ({}, "TO FILL: flops"),
        ({}, "Check traffic"),
        ({}, "TO FILL: values of rows"),
        ({}, "Constraint: n > 0"),
        ({"workloads": None}, "TO FILL: workloads. Without a file of them"),
        ({"workloads": None}, "TO FILL: the scalar eps. No workload gives it"),
        ({"workloads": [*WORKLOADS, workload("b", 9, eps=1e-5)]}, "1 workloads whose scalars"),
        ({"workloads": [*WORKLOADS, workload("b", 0)]}, "1 workloads with an axis of size 0"),
        ({"workloads": [*WORKLOADS, workload("b", -1)]}, "line 3: workload b: axis n is -1"),
        ({"workloads": [workload("b", 2, rows={"type": "safetensors", "path": "r.st",
                                               "tensor_key": "k"})]},
         "rows has stored values there in 1 workloads (first: r.st, k)"),
        ({"solutions": [PYTHON]}, "Solution fast-norm- is fast norm! by someone"),
        ({"solutions": [PYTHON]}, "depends on torch, flash-attn >= 2: check `requires`"),
    ],
)  # fmt: skip
def test_what_was_chosen_or_left_out_is_told(tmp_path, changed, told):
    found = made(tmp_path, **changed)
    assert any(told in note for note in found.notes), found.notes
    assert escape(told.removeprefix("TO FILL: ")) in found.files["README.md"]
    assert as_loaded(found, tmp_path / "study") == found.study


def solution(**spec):
    return [PYTHON | {"spec": PYTHON["spec"] | spec}]


def compiled(*paths, **spec):
    sources = [{"path": path, "content": "norm"} for path in paths]
    return [CUDA | {"spec": CUDA["spec"] | {"entry_point": f"{paths[0]}::norm"} | spec,
                    "sources": sources}]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"definition": DEFINITION | {"reference": ""}}, "RM420", "no function `run`"),
        ({"definition": DEFINITION | {"reference": "def go(): ..."}}, "RM420", "no function `run`"),
        ({"definition": DEFINITION | {"outputs": {"y": {"shape": ["n"], "dtype": "float4_e2m1"}}}},
         "RM131", "float4_e2m1"),
        ({"definition": DEFINITION | {"outputs": {"a b": DEFINITION["outputs"]["y"]}}},
         "RM113", "'a b' cannot be a parameter"),
        ({"workloads": [WORKLOADS[0] | {"definition": "other"}]}, "RM420", "no workload of norm"),
        ({"workloads": [workload("b", 0)]}, "RM420", "every workload has an axis of size 0"),
        ({"solutions": [PYTHON | {"definition": "other"}]}, "RM420", "solves other"),
        ({"solutions": [CUDA]}, "RM420", "scalars stand before tensors"),
        ({"definition": trailing(), "solutions": compiled("a.cu", binding="torch")}, "RM420",
         "its binding is torch's"),
        ({"definition": trailing(), "solutions": compiled("a.cu", destination_passing_style=False)},
         "RM420", "it returns its outputs"),
        ({"definition": trailing(), "solutions": compiled("a.cpp", "b.cu")}, "RM420",
         "C++ beside CUDA"),
        ({"definition": trailing(), "solutions": compiled("a.rs")}, "RM420", "no .py, .cu"),
        ({"solutions": [PYTHON | {"sources": [{"path": "my-kernel.py", "content": ""}],
                                  "spec": PYTHON["spec"] | {"entry_point": "my-kernel.py::run"}}]},
         "RM420", "cannot be imported"),
        ({"solutions": solution(entry_point="src/main.py::class")}, "RM118", "is not Python"),
    ],
)  # fmt: skip
def test_what_no_study_can_say_is_refused(tmp_path, changed, code, told):
    with pytest.raises(RoofmarkError) as caught:
        made(tmp_path, **changed)
    assert caught.value.code == code and told in str(caught.value)


NAMES = st.text(max_size=6) | st.sampled_from(
    ['x"): exec("', "a\nb", "\u2028", "import", "n*d", "{x}", "\\", "'''", '"""', "#", "run"]
)
TENSOR = st.fixed_dictionaries(
    {"shape": st.none() | st.lists(st.sampled_from(["n", "d", "3", "0"]) | NAMES, max_size=3),
     "dtype": st.sampled_from([*DTYPE_BYTES, "float8_e4m3"]) | NAMES}
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(["name", "op_type"]), NAMES),
    st.dictionaries(NAMES | st.just("z"), TENSOR, max_size=1),
    st.dictionaries(NAMES | st.just("v"), TENSOR, max_size=1),
    st.dictionaries(st.sampled_from(["name", "author", "description"]), NAMES),
    NAMES,
)
def test_no_name_gets_out_of_its_place(tmp_path, changed, inputs, outputs, named, uuid):
    odd = copy.deepcopy(DEFINITION) | changed
    odd["inputs"] |= inputs
    odd["outputs"] |= outputs
    one = workload(uuid, 5)["workload"]
    lines = [{"definition": odd["name"], "workload": one, "solution": None, "evaluation": None}]
    theirs = PYTHON | named | {"definition": odd["name"]}
    try:
        found = made(tmp_path, odd, lines, [theirs])
    except RoofmarkError:
        return
    assert as_loaded(found, tmp_path / "study") == found.study


# --- the command ---------------------------------------------------------------------------------
def test_the_command(tmp_path, capfd):
    made(tmp_path, solutions=[PYTHON])
    out, definition = tmp_path / "out", str(tmp_path / "definition.json")
    given = {"--workloads": tmp_path / "workloads.jsonl", "--solution": tmp_path / "s0.json"}
    files = [str(part) for pair in given.items() for part in pair]
    command = ["new", str(out), "--from-flashinfer", definition, *files]
    assert main([*command, "--json"]) == 0
    said = capfd.readouterr()
    assert str(out / "study.py") in json.loads(said.out)
    assert said.err.splitlines()[-1] == f"Wrote {out}" and "TO FILL: flops" in said.err
    assert load_study(out).study.definition.name == "norm_d64"
    assert main(command) == 2 and "error[RM409]" in capfd.readouterr().err
    assert main([*command, "--force"]) == 0
    assert main([*command, "-l", "cuda"]) == 2
    assert main(["new", str(tmp_path / "other"), *files]) == 2
    assert main(["new", str(tmp_path / "other"), "--from-flashinfer", files[1]]) == 2
    assert not (tmp_path / "other").exists()
