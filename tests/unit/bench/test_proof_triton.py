"""Triton's cache, filled by a real compilation for a device that need not be here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from roofmark.bench.build import BuildError, build_python
from roofmark.bench.proof import prove_triton_cache
from roofmark.evidence import Build, Target
from roofmark.study import Solution

pytest.importorskip("triton", reason="triton is not installed")

KERNEL = """
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

@triton.jit
def add_one(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, i < n) + 1, i < n)

signature = {"x": "*fp32", "y": "*fp32", "n": "i32", "B": "constexpr"}
source = ASTSource(fn=add_one, signature=signature, constexprs={(3,): 256})
triton.compile(source, target=GPUTarget("cuda", 90, 32))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton")
    (folder / "kernel.py").write_text(KERNEL)
    variables = {"TRITON_CACHE_DIR": str(folder / "cache"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-W", "ignore", "kernel.py"]
    subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
    return folder / "cache"


@pytest.fixture
def interpreted(tmp_path: Path) -> Build:
    (tmp_path / "a.py").write_text("def f(): ...")
    return build_python(Solution("mine", "a.py::f"), tmp_path)


def test_a_cubin_is_proved_from_its_own_bytes(cache: Path, interpreted: Build) -> None:
    build = prove_triton_cache(interpreted, cache)
    assert build.targets == (Target(kind="sass", name="sm_90a"),)
    (kernel,) = build.kernels
    assert (kernel.name, kernel.target, kernel.spill_bytes) == ("add_one", "sm_90a", 0)
    assert kernel.registers > 0 and kernel.shared == 0
    assert str(build.compiler).startswith("triton ") and len(str(build.binary)) == 64
    assert build.source == interpreted.source


def test_dynamic_shared_memory_comes_from_the_metadata(
    cache: Path, interpreted: Build, tmp_path: Path
) -> None:
    (cubin,) = cache.rglob("*.cubin")
    (tmp_path / "k.cubin").write_bytes(cubin.read_bytes())
    said = json.loads(cubin.with_suffix(".json").read_text())
    (tmp_path / "k.json").write_text(json.dumps(said | {"shared": 4096}))
    assert prove_triton_cache(interpreted, tmp_path).kernels[0].shared == 4096
    for bad in ("{}", "[]", "not json"):
        (tmp_path / "k.json").write_text(bad)
        with pytest.raises(BuildError, match="cannot be read"):
            prove_triton_cache(interpreted, tmp_path)


def test_a_damaged_cubin_is_told(interpreted: Build, tmp_path: Path) -> None:
    (tmp_path / "k.cubin").write_bytes(b"\x7fELF")
    (tmp_path / "k.json").write_text('{"shared": 0}')
    with pytest.raises(BuildError, match="cannot be read"):
        prove_triton_cache(interpreted, tmp_path)


def test_without_compiled_kernels_nothing_is_claimed(interpreted: Build, tmp_path: Path) -> None:
    assert prove_triton_cache(interpreted, tmp_path / "absent") == interpreted
