"""The first study, without a GPU: right solutions pass the gate, wrong ones fail for their reason.

The gate is the bench's own (`compare_outputs`), the inputs are drawn as the referee draws them, and
what is expected comes from the float64 reference.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
import tvm_ffi

from roofmark.bench.arena import Arena
from roofmark.bench.check import compare_outputs
from roofmark.bench.importing import import_file
from roofmark.bench.inputs import distributions, draw_inputs
from roofmark.bench.layout import plan_layout
from roofmark.bench.messages import OutputError
from roofmark.expressions import evaluate
from roofmark.study import Study, Tolerance, Workload

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "studies" / "gdn_decode"
STUDY: Study = import_file(FOLDER, "study.py").study
DEFINITION = STUDY.definition
FFI = Path(tvm_ffi.__file__).parent
BY_ID = {workload.id: workload for workload in STUDY.workloads}
SIZES = ("B1", "B3", "B4")

# Which outputs each control must get wrong; the other one is right, so a gate that looked at one
# output alone would let it pass.
WRONG = {
    "no_delta": {"output", "new_state"},
    "no_decay": {"output", "new_state"},
    "no_beta": {"output", "new_state"},
    "head_modulo": {"output", "new_state"},
    "zeros": {"output", "new_state"},
    "old_state_kept": {"new_state"},
    "output_of_old_state": {"output"},
    "bfloat16_state": {"new_state"},
    "last_row_skipped": {"output", "new_state"},
}

Tensors = dict[str, torch.Tensor]


@cache
def case(workload_id: str) -> tuple[Tensors, tuple[torch.Tensor, ...]]:
    """Return one workload's inputs and what the reference expects of them."""
    workload: Workload = BY_ID[workload_id]
    layout = plan_layout(DEFINITION, workload.axes)
    arena = Arena(torch.zeros(layout.stride, dtype=torch.uint8))
    values = distributions(DEFINITION, workload)
    draw_inputs(arena, layout, values, slots=range(1), seed="tests")
    inputs = {place.name: arena.view(place, layout, 0).clone() for place in layout.inputs}
    path, _, function = DEFINITION.reference.partition("::")
    reference = getattr(import_file(FOLDER, path), function)
    doubles = {name: each.double() for name, each in inputs.items()}
    return inputs, reference(**doubles, **DEFINITION.scalars)


def blank_outputs(workload_id: str) -> Tensors:
    axes = BY_ID[workload_id].axes
    return {
        name: torch.full(each.dims(axes), float("nan"), dtype=getattr(torch, each.dtype))
        for name, each in DEFINITION.outputs.items()
    }


def python_entry(name: str):
    solution = STUDY.solution(name)
    return getattr(import_file(FOLDER, solution.path), solution.function)


def judge(workload_id: str, outputs: tuple[torch.Tensor, ...]) -> dict[str, OutputError]:
    _, expected = case(workload_id)
    declared = DEFINITION.outputs.items()
    errors = {}
    for (name, tensor), out, ref in zip(declared, outputs, expected, strict=True):
        assert out.dtype == getattr(torch, tensor.dtype)
        assert out.shape == ref.shape == tensor.dims(BY_ID[workload_id].axes)
        assert isinstance(tensor.tolerance, Tolerance)
        errors[name] = compare_outputs(name, out[None], ref[None], tensor.tolerance)
    return errors


def assert_right(errors: dict[str, OutputError]) -> None:
    assert all(error.passed for error in errors.values()), errors
    # What study.py says of float32 arithmetic when it derives the state's tolerance.
    assert errors["new_state"].rms < 3e-7
    assert errors["new_state"].peak < 2e-6


def test_study_has_the_published_workloads_and_costs():
    published = [each.axes["B"] for each in STUDY.workloads if not each.held_out]
    assert len(BY_ID) == len(STUDY.workloads)
    assert {B: published.count(B) for B in published} == {
        1: 10, 4: 8, 8: 7, 16: 7, 32: 7, 48: 7, 64: 8,
    }  # fmt: skip
    one, two = {"B": 1}, {"B": 2}
    assert evaluate(DEFINITION.flops, one) == 917_504
    assert evaluate(DEFINITION.traffic, two) - evaluate(DEFINITION.traffic, one) == 1_054_752


def test_traffic_is_what_the_tensors_hold():
    tensors = [*DEFINITION.inputs.values(), *DEFINITION.outputs.values()]
    for axes in ({"B": 1}, {"B": 63}):
        held = sum(
            torch.Size(each.dims(axes)).numel() * getattr(torch, each.dtype).itemsize
            for each in tensors
        )
        assert evaluate(DEFINITION.traffic, axes) == held


def test_every_control_is_in_the_study_and_in_the_folder():
    assert {each.name for each in STUDY.wrong} == set(WRONG)
    assert {each.stem for each in (FOLDER / "wrong").glob("*.py")} == set(WRONG)


@pytest.mark.parametrize("workload", [*SIZES, "B5-small-state", "B6-large-state", "B17-wide-gates"])
@pytest.mark.parametrize("name", ["eager", "single_pass"])
def test_torch_solutions_are_right(name: str, workload: str):
    inputs, _ = case(workload)
    assert_right(judge(workload, python_entry(name)(**inputs, **DEFINITION.scalars)))


@pytest.mark.parametrize("name", ["eager", "single_pass"])
def test_torch_solutions_never_wait_for_a_value(name: str):
    """A meta tensor has no values: reading one on the host, as no CUDA graph allows, raises."""
    inputs = {key: each.to("meta") for key, each in case("B3")[0].items()}
    output, new_state = python_entry(name)(**inputs, **DEFINITION.scalars)
    assert output.shape == (3, 1, 8, 128)
    assert new_state.shape == (3, 8, 128, 128)


@pytest.mark.parametrize("workload", [*SIZES, "B5-small-state", "B17-wide-gates"])
@pytest.mark.parametrize("name", WRONG)
def test_controls_are_refused_for_their_reason(name: str, workload: str):
    inputs, _ = case(workload)
    errors = judge(workload, python_entry(name)(**inputs, **DEFINITION.scalars))
    assert {key for key, error in errors.items() if not error.passed} == WRONG[name], errors


def test_one_wrong_row_of_a_large_batch_is_seen_by_the_peak_alone():
    inputs, _ = case("B64")
    errors = judge("B64", python_entry("last_row_skipped")(**inputs, **DEFINITION.scalars))
    tolerance = DEFINITION.outputs["output"].tolerance
    assert isinstance(tolerance, Tolerance)
    assert errors["output"].rms < tolerance.rms
    assert errors["output"].peak > tolerance.peak


def test_tf32_in_the_recall_alone_is_refused():
    """TF32 keeps 10 bits of mantissa; k is bfloat16 and survives, the state does not."""
    inputs, (output, _) = case("B4")
    bits = inputs["state"].view(torch.int32)
    rounded = ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
    full = python_entry("eager")(**inputs, **DEFINITION.scalars)[1]
    coarse = python_entry("eager")(**inputs | {"state": rounded}, **DEFINITION.scalars)[1]
    # new = decayed - beta (decayed k) k + ...: take the coarse recall, keep the exact decay.
    exact, tf32 = (python_entry("no_delta")(**inputs | {"state": each}, **DEFINITION.scalars)[1]
                   for each in (inputs["state"], rounded))  # fmt: skip
    mixed = exact + (coarse - tf32)
    assert judge("B4", (output.bfloat16(), full))["new_state"].passed
    assert not judge("B4", (output.bfloat16(), mixed))["new_state"].passed


def compile_with(command: list[str], *, source: str, library: Path) -> str:
    command += ["-std=c++17", "-O2", "-shared", f"-I{FFI / 'include'}", f"-L{FFI / 'lib'}"]
    command += [str(FOLDER / source), "-o", str(library), "-ltvm_ffi"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def simd(tmp_path_factory: pytest.TempPathFactory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("this CPU has no AVX2")
    library = tmp_path_factory.mktemp("simd") / "simd.so"
    flags = STUDY.solution("simd").flags
    compile_with(["g++", "-fPIC", *flags], source="simd.cpp", library=library)
    return tvm_ffi.load_module(str(library)).gdn_decode


@pytest.mark.parametrize("workload", [*SIZES, "B5-small-state", "B17-wide-gates", "B31-long-keys"])
def test_simd_is_right(simd, workload: str):
    inputs, _ = case(workload)
    outputs = blank_outputs(workload)
    before = {name: each.clone() for name, each in inputs.items()}
    simd(*inputs.values(), *DEFINITION.scalars.values(), *outputs.values())
    assert_right(judge(workload, tuple(outputs.values())))
    assert all(torch.equal(inputs[name], each) for name, each in before.items())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"q": torch.zeros(2, 1, 4, 128, dtype=torch.bfloat16)}, "q has shape"),
        ({"v": torch.zeros(1, 1, 8, 128)}, "v has dtype float32"),
        ({"state": torch.zeros(1, 8, 128, 128).mT}, "state is not contiguous"),
        ({"state": torch.zeros(3)}, "state has shape"),
        ({"new_state": torch.zeros(8 * 128 * 128 + 1)[1:].view(1, 8, 128, 128)}, "32"),
    ],
)
def test_simd_refuses_what_it_cannot_take(simd, changed: Tensors, message: str):
    inputs, _ = case("B1")
    arguments = inputs | DEFINITION.scalars | blank_outputs("B1") | changed
    with pytest.raises((ValueError, TypeError), match=message):
        simd(*arguments.values())


def test_cuda_compiles_for_hopper_without_spills(tmp_path: Path):
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    if not Path(nvcc).exists():
        pytest.skip("nvcc is not installed")
    library = tmp_path / "cuda.so"
    command = [nvcc, "-gencode=arch=compute_90a,code=sm_90a", "-Xcompiler=-fPIC", "-Xptxas=-v"]
    said = compile_with(command, source="cuda.cu", library=library)
    assert said.count("0 bytes spill stores, 0 bytes spill loads") == 3
    assert "for 'sm_90a'" in said

    triton = pytest.importorskip("triton")
    disassembler = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    if not disassembler.exists():
        pytest.skip("the SASS was not read: triton came without cuobjdump")
    shown = subprocess.run(
        [disassembler, "-sass", library], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    loads = [line for line in shown.splitlines() if "LDG.E" in line and ".128" in line]
    stores = [line for line in shown.splitlines() if "STG.E" in line and ".128" in line]
    # Each kernel's whole state: 4 loads per set of rows, of which the three have 1, 1 and 2.
    assert len(loads) == len(stores) == 16


# The interpreter reads its environment when triton is imported, hence a process of its own.
INTERPRETED = """
import sys, torch
from pathlib import Path
from roofmark.bench.importing import import_file
entry = import_file(Path(sys.argv[1]), "triton_kernel.py").gdn_decode
calls = torch.load(sys.argv[2])
for arguments in calls.values():
    entry(**arguments)
torch.save({key: [call["output"], call["new_state"]] for key, call in calls.items()}, sys.argv[3])
"""


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[torch.Tensor]]:
    pytest.importorskip("triton")
    given = tmp_path_factory.mktemp("triton") / "given.pt"
    made = given.with_name("made.pt")
    torch.save({w: case(w)[0] | DEFINITION.scalars | blank_outputs(w) for w in SIZES}, given)
    paths = [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED, str(FOLDER), str(given), str(made)],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return torch.load(made)


@pytest.mark.parametrize("workload", SIZES)
def test_triton_kernel_is_right_in_the_interpreter(interpreted, workload: str):
    # The interpreter truncates to bfloat16 where the GPU rounds: twice the error, within tolerance.
    assert_right(judge(workload, tuple(interpreted[workload])))
