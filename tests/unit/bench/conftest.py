"""What the tests of building share; real compilers, each run as few times as possible."""

import shutil
import subprocess
from pathlib import Path

import pytest
from building import KERNELS, SCALE, Bench

from roofmark.evidence import Build
from roofmark.study import Solution


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def needs_cxx() -> None:
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")


@pytest.fixture(scope="session")
def needs_nvcc() -> None:
    if not shutil.which("nvcc"):
        pytest.skip("nvcc is not installed")


@pytest.fixture(scope="session")
def scale(tmp_path_factory: pytest.TempPathFactory, needs_cxx: None) -> tuple[Build, Path]:
    """The smallest honest C++ solution, for AVX2."""
    solution = Solution("scale", "scale.cpp::scale", target="avx2")
    return Bench(tmp_path_factory.mktemp("scale")).build(solution, scale__cpp=SCALE)


@pytest.fixture(scope="session")
def fatbin(tmp_path_factory: pytest.TempPathFactory, needs_nvcc: None) -> Path:
    """Two kernels for five architectures and as PTX, in a container without host code."""
    folder = tmp_path_factory.mktemp("fatbin")
    (folder / "kernels.cu").write_text(KERNELS)
    codes = ("75,code=sm_75", "90,code=[sm_90,compute_90]", "90a,code=[sm_90a,compute_90a]",
             "100f,code=[sm_100f,compute_100f]", "120a,code=sm_120a")  # fmt: skip
    made = folder / "kernels.fatbin"
    command = ["nvcc", "-fatbin", "-maxrregcount=32", "--resource-usage", "kernels.cu"]
    command += ["-o", made.name, *(f"-gencode=arch=compute_{code}" for code in codes)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    (folder / "log").write_text(done.stdout + done.stderr)
    return made
