"""CUDA solutions, built by nvcc; no device is needed to prove what is in a binary."""

from pathlib import Path

import pytest
from building import KERNELS, Bench

from roofmark.bench.build import BuildError
from roofmark.bench.proof import program_digest
from roofmark.evidence import Build, Target
from roofmark.study import Solution

STREAM = """
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/function.h>
void Add(tvm::ffi::TensorView x, double s, tvm::ffi::TensorView y) {
  auto stream = static_cast<cudaStream_t>(
      TVMFFIEnvGetStream(x.device().device_type, x.device().device_id));
  int n = static_cast<int>(x.numel());
  add<<<(n + 255) / 256, 256, 0, stream>>>(static_cast<const float*>(x.data_ptr()),
      static_cast<float*>(y.data_ptr()), n, static_cast<float>(s));
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(add, Add);
"""


@pytest.fixture(scope="module")
def hopper(tmp_path_factory: pytest.TempPathFactory, needs_nvcc: None) -> tuple[Build, Path]:
    solution = Solution("add", "add.cu::add", target="sm_90a", flags=("-maxrregcount=32",))
    bench = Bench(tmp_path_factory.mktemp("hopper"))
    return bench.build(solution, capability="9.0", add__cu=KERNELS + STREAM)


def test_the_sass_asked_for_is_in_the_binary(hopper: tuple[Build, Path]) -> None:
    build, _ = hopper
    assert [each for each in build.targets if each.kind in ("sass", "ptx")] == [
        Target(kind="sass", name="sm_90a")
    ]
    assert not build.ptx_only
    assert "-gencode=arch=compute_90a,code=sm_90a" in build.command
    assert "release" in str(build.compiler)


def test_registers_spills_and_shared_memory_of_each_kernel(hopper: tuple[Build, Path]) -> None:
    kernels = {each.name: each for each in hopper[0].kernels}
    add, spill = kernels["_Z3addPKfPfif"], kernels["_Z5spillPfi"]
    assert (add.spill_bytes, add.shared, add.target) == (0, 256, "sm_90a")
    assert 0 < add.registers <= 32 and spill.registers == 32
    # Its array takes 160 bytes of stack that are no spills; the register limit adds a few.
    assert 0 < spill.spill_bytes < 160


@pytest.fixture(scope="module")
def turing(tmp_path_factory: pytest.TempPathFactory, needs_nvcc: None) -> Bench:
    return Bench(tmp_path_factory.mktemp("turing"))


def test_sass_for_another_architecture_is_refused(turing: Bench) -> None:
    flags = ("-gencode=arch=compute_75,code=sm_75",)
    asked = Solution("add", "add.cu::add", target="sm_90a", flags=flags)
    with pytest.raises(BuildError, match="asked for sm_90a; the binary holds sm_75") as caught:
        turing.build(asked, add__cu=KERNELS)
    assert "nvcc" in caught.value.log
    silent = Solution("add", "add.cu::add", flags=flags)
    with pytest.raises(BuildError, match=r"no kernel image.*9\.0.*sm_75"):
        turing.build(silent, capability="9.0", add__cu=KERNELS)
    build, _ = turing.build(silent, capability="7.5", add__cu=KERNELS)
    assert {each.name for each in build.targets if each.kind == "sass"} == {"sm_75"}


def test_ptx_alone_is_flagged_and_is_no_sass(turing: Bench) -> None:
    flags = ("-gencode=arch=compute_90,code=compute_90",)
    build, _ = turing.build(
        Solution("add", "add.cu::add", flags=flags), capability="9.0", add__cu=KERNELS
    )
    assert build.ptx_only and Target(kind="ptx", name="sm_90") in build.targets
    with pytest.raises(BuildError, match="asked for sm_90; the binary holds PTX for sm_90"):
        turing.build(Solution("add", "add.cu::add", target="sm_90", flags=flags), add__cu=KERNELS)


def test_without_target_and_device_nothing_is_guessed(bench: Bench, needs_nvcc: None) -> None:
    with pytest.raises(BuildError, match="no target"):
        bench.build(Solution("add", "add.cu::add"), add__cu=KERNELS)
    with pytest.raises(BuildError, match="'hopper' is no CUDA architecture"):
        bench.build(Solution("add", "add.cu::add", target="hopper"), add__cu=KERNELS)


def test_a_syntax_error_brings_nvccs_words(bench: Bench, needs_nvcc: None) -> None:
    with pytest.raises(BuildError, match="error") as caught:
        bench.build(
            Solution("bad", "bad.cu::f", target="sm_90a"), bad__cu="__global__ void f( {}\n"
        )
    assert "bad.cu(1)" in caught.value.log


def test_a_comment_makes_another_binary_and_the_same_program(turing: Bench) -> None:
    flags = ("-gencode=arch=compute_75,code=sm_75",)
    text = (
        "namespace { __global__ void one(float* y) { *y = 1; } }\nvoid f() { one<<<1, 1>>>(0); }\n"
    )

    def build(text: str) -> tuple[Build, str]:
        build, library = turing.build(Solution("one", "one.cu::f", flags=flags), one__cu=text)
        return build, program_digest(library.read_bytes())

    (first, program), (commented, same) = build(text), build(text + "// The same.\n")
    assert first.binary != commented.binary and program == same
    assert build(text.replace("= 1", "= 2"))[1] != program


def test_nvccs_variables_do_not_reach_it(turing: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVCC_APPEND_FLAGS", "--this-flag-would-be-refused")
    solution = Solution("add", "add.cu::add", flags=("-gencode=arch=compute_75,code=sm_75",))
    turing.build(solution, capability="7.5", add__cu=KERNELS)


def test_without_nvcc_the_error_says_how_to_get_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setattr("roofmark.bench.compiler.TOOLKIT", str(tmp_path))
    with pytest.raises(BuildError, match="CUDA_HOME"):
        bench.build(Solution("add", "add.cu::add", target="sm_90a"), add__cu=KERNELS)
