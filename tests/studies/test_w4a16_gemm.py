"""The W4A16 study without a GPU: its layouts, its reference, the solutions that run here.

Layouts are read back one lane and one nibble at a time, as the kernels do it, and must give the
weight that a plain loop finds in the definition's own format.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import tvm_ffi

from roofmark.bench.arena import Arena
from roofmark.bench.build import build_library
from roofmark.bench.check import compare_outputs
from roofmark.bench.importing import import_file
from roofmark.bench.inputs import distributions, draw_inputs
from roofmark.bench.layout import plan_layout
from roofmark.expressions import evaluate
from roofmark.loading import load_study
from roofmark.study import Study, Tolerance, Workload

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "studies" / "w4a16_gemm"
STUDY: Study = load_study(FOLDER).study
DEFINITION = STUDY.definition
REFERENCE = import_file(FOLDER, "reference.py")
PREPARE = import_file(FOLDER, "prepare.py")
LIBRARY = import_file(FOLDER, "library.py")
TOLERANCE = DEFINITION.tolerance
ROWS = 64  # of most cases here: two units of 32
TOKENS = (1, 3, 7, 8, 11)  # part of a mma's 8, all of it, and a second one

Tensors = dict[str, torch.Tensor]


@cache
def case(M: int, N: int = ROWS) -> Tensors:
    """Return inputs drawn as the referee draws them."""
    workload = Workload(axes={"M": M, "N": N})
    layout = plan_layout(DEFINITION, {"K": 4096} | workload.axes)
    arena = Arena(torch.zeros(layout.stride, dtype=torch.uint8))
    values = distributions(DEFINITION, workload)
    draw_inputs(arena, layout, values, slots=range(1), seed="tests")
    return {place.name: arena.view(place, layout, 0).clone() for place in layout.inputs}


@cache
def weights(N: int, K: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return qweight and scales of any size; no scale occurs twice."""
    generator = torch.Generator().manual_seed(N + K)
    qweight = torch.randint(0, 256, (N, K // 2), dtype=torch.uint8, generator=generator)
    scales = torch.arange(1, N * K // 128 + 1).view(N, K // 128).to(torch.float16)
    assert scales.unique().numel() == scales.numel()
    return qweight, scales


def nibble(qweight: np.ndarray, n: int, k: int) -> int:
    return int(qweight[n, k // 2]) >> 4 * (k % 2) & 15


def nibbles_of(qweight: torch.Tensor) -> np.ndarray:
    array = qweight.numpy()
    sizes = array.shape[0], 2 * array.shape[1]
    return np.array([[nibble(array, n, k) for k in range(sizes[1])] for n in range(sizes[0])])


def errors(out: torch.Tensor, inputs: Tensors):
    """Compare with the definition in float64, by the bench's own gate."""
    assert isinstance(TOLERANCE, Tolerance)
    x, scales = inputs["x"].double(), inputs["scales"].double()
    (truth,) = REFERENCE.w4a16_gemm(x, inputs["qweight"], scales)
    return compare_outputs("y", out[None], truth[None], TOLERANCE)


def blank(M: int, N: int = ROWS) -> torch.Tensor:
    return torch.full((M, N), float("nan"), dtype=torch.float16)


def test_study_has_the_published_shapes_and_costs():
    shapes = {w.id: (w.axes["M"], w.axes["N"]) for w in STUDY.workloads if not w.held_out}
    assert shapes["8b-b8"] == (8, 4096) and shapes["70b-tp2-b1"] == (1, 8192)
    assert len(shapes) == 14
    axes = {"M": 8, "N": 4096, "K": 4096}
    held = [*DEFINITION.inputs.values(), *DEFINITION.outputs.values()]
    assert evaluate(DEFINITION.traffic, axes) == sum(each.size(axes) for each in held) == 8_781_824
    assert evaluate(DEFINITION.flops, axes) == 2 * 8 * 4096 * 4096


def test_every_control_is_in_the_study_and_in_the_folder():
    assert {s.name for s in STUDY.wrong} == {each.stem for each in FOLDER.glob("wrong/*.py")}


@pytest.mark.parametrize(("M", "N", "K"), [(1, 3, 128), (5, 2, 384), (2, 7, 256)])
def test_reference_is_the_plain_loop(M: int, N: int, K: int):
    qweight, scales = weights(N, K)
    x = torch.randn(M, K, dtype=torch.float64, generator=torch.Generator().manual_seed(M))
    (y,) = REFERENCE.w4a16_gemm(x, qweight, scales.double())
    q = nibbles_of(qweight)
    for m, n in product(range(M), range(N)):
        terms = [x[m, k].item() * (q[n, k] - 8) * scales[n, k // 128].item() for k in range(K)]
        assert y[m, n].item() == pytest.approx(sum(terms), rel=1e-12, abs=1e-9)


def test_widened_weights_are_the_plain_loop():
    qweight, scales = weights(3, 256)
    wide = PREPARE.widen(qweight, scales)["weight"]
    assert wide.dtype == torch.float32  # no GPU here
    q = nibbles_of(qweight)
    for n, k in product(range(3), range(256)):
        assert wide[n, k].item() == (q[n, k] - 8) * scales[n, k // 128].item()


def test_halves_keep_columns_i_and_i_plus_64_together():
    qweight, scales = weights(5, 384)
    made = PREPARE.halves(qweight, scales)
    packed, q = made["packed"].numpy(), nibbles_of(qweight)
    for n, group, i in product(range(5), range(3), range(64)):
        byte, k = packed[n, 64 * group + i], 128 * group + i
        assert (byte & 15, byte >> 4) == (q[n, k], q[n, k + 64])
    assert torch.equal(made["group_scales"], scales.T) and made["group_scales"].is_contiguous()


def picked(word: np.ndarray) -> np.ndarray:
    """Return [pair, half, element] of a word as the few-token kernel reads it.

    A nibble in the lowest bits of a float16 is a subnormal of so many 2^-24; one four bits higher
    counts 16 times as much. What comes out is the nibble itself.
    """
    found = np.empty((2, 2, 2))
    for pair, half in product(range(2), range(2)):
        masked = (word.view(np.uint32) >> 8 * pair) & (0x000F000F << 4 * half)
        both = np.array([masked], dtype=np.uint32).view(np.float16).astype(np.float64)
        found[pair, half] = both * 2.0 ** (24 - 4 * half)
    return found


def test_units_are_what_lanes_hold():
    N, K = 128, 512
    qweight, scales = weights(N, K)
    made, q = PREPARE.fragments(qweight, scales), nibbles_of(qweight)
    words = made["units"].numpy().reshape(N // 32, K // 256, 4, 2, 32, 4)
    for R, U, chunk, tile, lane, at in product(*map(range, words.shape)):
        g, t, h, j = lane // 4, lane % 4, at // 2, at % 2
        row, column = 32 * R + 16 * tile + g, 256 * U + 64 * chunk + 32 * h + 8 * t + 4 * j
        # Tile j of a pair has 4 of the lane's 8 neighbouring columns; rows g and g + 8 take turns.
        expected = [q[row : row + 9 : 8, column + 2 * p : column + 2 * p + 2] for p in range(2)]
        assert (picked(words[R, U, chunk, tile, lane, at]) == np.array(expected)).all()
    held = made["lane_scales"].view(N // 32, K // 256, 8, 2, 2, 2)
    for R, U, g, group, tile, half in product(*map(range, held.shape)):
        row = 32 * R + 16 * tile + 8 * half + g
        assert held[R, U, g, group, tile, half] == scales[row, 2 * U + group]


def test_blocks_are_what_lanes_hold():
    N, K = 256, 256
    qweight, scales = weights(N, K)
    made, q = PREPARE.fragments(qweight, scales), nibbles_of(qweight)
    blocks = made["blocks"].numpy().reshape(N // 128, K // 128, 8192 + 256)
    for B, C in product(range(N // 128), range(K // 128)):
        words = blocks[B, C, :8192].copy().view(np.int32).reshape(8, 2, 32, 4)
        for tile, chunk, lane, at in product(range(8), range(2), range(32), range(4)):
            row = 128 * B + 16 * tile + lane // 4
            column = 128 * C + 64 * chunk + 16 * at + 2 * (lane % 4)
            # mma's own order: columns 2t, 2t + 1, then 2t + 8, 2t + 9.
            expected = [q[row : row + 9 : 8, column + 8 * p : column + 8 * p + 2] for p in range(2)]
            assert (picked(words[tile, chunk, lane, at]) == np.array(expected)).all()
        held = blocks[B, C, 8192:].copy().view(np.float16).reshape(8, 8, 2)
        for tile, g, half in product(range(8), range(8), range(2)):
            assert held[tile, g, half] == scales[128 * B + 16 * tile + 8 * half + g, C].item()


def test_two_orders_cost_little_more_than_two_copies():
    made = PREPARE.fragments(*weights(256, 1024))
    kept = sum(made[name].nbytes for name in ("units", "lane_scales", "blocks"))
    assert kept / (256 * 1024) == 2 * (0.5 + 2 / 128)  # bytes per weight
    assert made["parked"].nbytes == 132 * 128 * 128 * 4
    assert not made["met"].any() and len(made["met"]) == 2 * 132


@pytest.mark.parametrize("M", [1, 7])
def test_the_library_baseline_is_right(M: int):
    inputs, y = case(M), blank(M)
    LIBRARY.w4a16_gemm(inputs["x"], **PREPARE.widen(inputs["qweight"], inputs["scales"]), y=y)
    assert errors(y, inputs).passed


@pytest.mark.parametrize("name", [each.name for each in STUDY.wrong])
@pytest.mark.parametrize("M", [1, 8])
def test_controls_are_refused(name: str, M: int):
    inputs, y = case(M), blank(M)
    wrong = STUDY.solution(name)
    getattr(import_file(FOLDER, wrong.path), wrong.function)(**inputs, y=y)
    error = errors(y, inputs)
    assert not error.passed and error.nonfinite == 0
    assert error.rms > 0.05  # far beyond the tolerance, not a matter of rounding


def test_tolerance_lets_float16_weights_through_with_room():
    """What study.py says when it derives the tolerance."""
    inputs = case(8)
    x = inputs["x"].float()
    weight = PREPARE.dequantised(inputs["qweight"], inputs["scales"], torch.float16).float()
    assert 2e-4 < errors((x @ weight.T).half(), inputs).rms < 5e-4


def build(name: str, folder: Path) -> tuple[Path, str]:
    """Return a library, in which its target was found, and what the compiler said."""
    solution = STUDY.solution(name)
    sources = folder / "sources"
    sources.mkdir()
    for path in solution.files:
        shutil.copy(FOLDER / path, sources / path)
    _, library = build_library(
        solution, sources, capability=None, limit=200, cache=folder / "cache", scratch=folder
    )
    return library, library.with_suffix(".log").read_text()


@pytest.fixture(scope="module")
def simd(tmp_path_factory: pytest.TempPathFactory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("this CPU has no AVX2")
    library, _ = build("simd", tmp_path_factory.mktemp("simd"))
    return tvm_ffi.load_module(str(library)).w4a16_gemm


@pytest.mark.parametrize("M", TOKENS)
def test_simd_is_right(simd, M: int):
    inputs, y = case(M, 13), blank(M, 13)
    halves = PREPARE.halves(inputs["qweight"], inputs["scales"])
    simd(inputs["x"], *halves.values(), y)
    assert errors(y, inputs).passed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": torch.zeros(1, 4000, dtype=torch.float16)}, "K is 4000, no multiple of 128"),
        ({"x": torch.zeros(4096, dtype=torch.float16)}, "x and y must have two axes"),
        ({"x": torch.zeros(1, 4096)}, "x has dtype float32; it must be float16"),
        ({"packed": torch.zeros(12, 2048, dtype=torch.uint8)}, "packed has shape"),
        ({"packed": torch.zeros(2048, 13, dtype=torch.uint8).T}, "packed is not contiguous"),
        ({"group_scales": torch.zeros(13, 32, dtype=torch.float16)}, "group_scales has shape"),
        ({"y": torch.zeros(2, 13, dtype=torch.float16)}, "y has shape"),
    ],
)
def test_simd_refuses_what_it_cannot_take(simd, changed: Tensors, message: str):
    inputs = case(1, 13)
    halves = PREPARE.halves(inputs["qweight"], inputs["scales"])
    arguments = {"x": inputs["x"], **halves, "y": blank(1, 13)} | changed
    with pytest.raises((ValueError, TypeError), match=message):
        simd(*arguments.values())


# The interpreter reads its environment when triton is imported, hence a process of its own.
INTERPRETED = """
import sys, torch
from pathlib import Path
from roofmark.bench.importing import import_file
entry = import_file(Path(sys.argv[1]), "triton_kernel.py").w4a16_gemm
calls = torch.load(sys.argv[2])
for arguments in calls.values():
    entry(**arguments)
torch.save({key: call["y"] for key, call in calls.items()}, sys.argv[3])
"""


def test_triton_kernel_is_right_in_the_interpreter(tmp_path: Path):
    pytest.importorskip("triton")
    given, made, calls = tmp_path / "given.pt", tmp_path / "made.pt", {}
    for M in (1, 19):
        inputs = case(M)
        halves = PREPARE.halves(inputs["qweight"], inputs["scales"])
        calls[M] = {"x": inputs["x"], **halves, "y": blank(M)}
    torch.save(calls, given)
    paths = [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED, str(FOLDER), str(given), str(made)],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for M, y in torch.load(made).items():
        assert errors(y, case(M)).passed


@pytest.fixture(scope="module")
def cuda(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    return build("cuda", tmp_path_factory.mktemp("cuda"))


def test_cuda_compiles_for_hopper_without_spills(cuda: tuple[Path, str]):
    _, said = cuda
    spilled = re.findall(r"(\d+) bytes spill stores", said)
    # Fewest tokens: 2, 4, 8. Few: 8 of 64 rows, 16 of 32 and 64. More: 32, 64, 128, parts 1, 2, 4.
    assert len(spilled) == 3 + 3 + 9
    assert set(spilled) == {"0"}


@pytest.mark.parametrize(
    ("shape", "rows", "message"),
    [
        ((8, 100), 128, r"columns in multiples of 1024"),
        ((8, 4096), 64, r"rows in multiples of 128"),
        ((0, 4096), 128, r"there must be tokens"),
        ((4096,), 128, r"x and y must have two axes"),
        ((8, 4096), 128, r"x is not on the GPU of x"),
    ],
)
def test_cuda_refuses_what_it_cannot_take(
    cuda: tuple[Path, str], shape: tuple[int, ...], rows: int, message: str
):
    entry = tvm_ffi.load_module(str(cuda[0])).w4a16_gemm
    x = torch.zeros(shape, dtype=torch.float16)
    made = PREPARE.fragments(*weights(128, 1024))
    with pytest.raises(ValueError, match=message):
        entry(x, *made.values(), torch.zeros(shape[0], rows, dtype=torch.float16))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(
    ("name", "message"),
    [("x", "16 does not divide"), ("y", "16 does not divide"), ("units", "units has shape")],
)
def test_cuda_refuses_unaligned_and_misshapen_tensors(
    cuda: tuple[Path, str], name: str, message: str
):
    entry = tvm_ffi.load_module(str(cuda[0])).w4a16_gemm
    inputs = {key: each.cuda() for key, each in case(3, 128).items()}
    made = PREPARE.fragments(inputs["qweight"], inputs["scales"])
    arguments = {"x": inputs["x"], **made, "y": blank(3, 128).cuda()}
    entry(*arguments.values())
    assert errors(arguments["y"].cpu(), case(3, 128)).passed
    whole = arguments[name].flatten()
    shifted = torch.cat((whole[:1], whole))[1:].view(arguments[name].shape)
    changed = shifted if "divide" in message else whole[:-1]
    with pytest.raises(ValueError, match=message):
        entry(*(arguments | {name: changed}).values())
