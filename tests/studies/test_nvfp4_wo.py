"""The NVFP4 study without a GPU: the format, the orders of summation, the solutions that run here.

Orders are compared with plain numpy loops over one value at a time. The streaming kernel itself is
run on the CPU, thread by thread, with its instructions of PTX replaced.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import block_on_cpu
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
from roofmark.study import Integers, Study, Tolerance, Workload

FOLDER = Path(__file__).parents[2] / "studies" / "nvfp4_wo"
STUDY: Study = load_study(FOLDER).study
DEFINITION = STUDY.definition
REFERENCE = import_file(FOLDER, "reference.py")
PREPARE = import_file(FOLDER, "prepare.py")
MATMUL = import_file(FOLDER, "torch_matmul.py")
GLOBAL_SCALE = DEFINITION.scalars["global_scale"]
TOLERANCE = DEFINITION.tolerance
K = 6144
FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
USUAL, EVERY = Integers(0x20, 0x51), Integers(0x00, 0x7F)

Tensors = dict[str, torch.Tensor]


@cache
def case(B: int, scales: Integers = USUAL) -> Tensors:
    """Return inputs of 128 rows, drawn as the referee draws them."""
    workload = Workload(axes={"B": B, "H": 128}, values={"scales": scales})
    layout = plan_layout(DEFINITION, {"K": K} | workload.axes)
    arena = Arena(torch.zeros(layout.stride, dtype=torch.uint8))
    values = distributions(DEFINITION, workload)
    draw_inputs(arena, layout, values, slots=range(1), seed="tests")
    return {place.name: arena.view(place, layout, 0).clone() for place in layout.inputs}


def call(function, inputs: Tensors, **params: int) -> torch.Tensor:
    return function(**inputs, global_scale=GLOBAL_SCALE, **params)


def truth(inputs: Tensors) -> torch.Tensor:
    return call(REFERENCE.matmul, inputs | {"attn": inputs["attn"].double()})


def errors(out: torch.Tensor, inputs: Tensors):
    assert isinstance(TOLERANCE, Tolerance)
    return compare_outputs("out", out[None], truth(inputs)[None], TOLERANCE)


def scale_byte(scales: np.ndarray, m: int, g: int) -> int:
    offset = ((m >> 7) * 96 + (g >> 2)) * 512 + (m & 31) * 16 + ((m >> 5) & 3) * 4 + (g & 3)
    return int(scales.reshape(-1)[offset])


def e4m3(code: int) -> float:
    exponent, mantissa = code >> 3 & 15, code & 7
    return mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)


def fp4(w: np.ndarray, m: int, k: int) -> float:
    code = int(w[m, k // 2]) >> 4 * (k % 2) & 15
    return -FP4[code & 7] if code & 8 else FP4[code]


def row_weights(inputs: Tensors, m: int) -> list[np.float32]:
    """Return one row's weights: (fp4 * scale), exact, times the global scale, rounded."""
    w, scales = inputs["w"].numpy(), inputs["scales"].numpy()
    scale = [e4m3(scale_byte(scales, m, g)) for g in range(K // 16)]
    exact = [np.float32(fp4(w, m, k) * scale[k // 16]) for k in range(K)]
    return [each * np.float32(GLOBAL_SCALE) for each in exact]


def test_study_has_the_published_bytes():
    axes = {"B": 1, "H": 5120, "K": K}
    # The published count has the global scale's four bytes, which here is no tensor.
    assert evaluate(DEFINITION.traffic, axes) == 17_727_492 - 4
    held = [*DEFINITION.inputs.values(), *DEFINITION.outputs.values()]
    assert evaluate(DEFINITION.traffic, axes) == sum(each.size(axes) for each in held)
    assert evaluate(DEFINITION.flops, axes) == 2 * 5120 * K


def test_every_control_is_in_the_study_and_in_the_folder():
    assert {s.name for s in STUDY.wrong} == {each.stem for each in FOLDER.glob("wrong/*.py")}


@pytest.mark.parametrize("scales", [USUAL, EVERY])
def test_two_decoders_and_the_loop_agree_on_every_weight(scales: Integers):
    inputs = case(1, scales)
    values = PREPARE.unscaled(inputs["w"], inputs["scales"])
    weights = REFERENCE._weights(inputs["w"], inputs["scales"], GLOBAL_SCALE)
    assert torch.equal((values * np.float32(GLOBAL_SCALE).item()).T, weights)
    assert torch.equal(values.bfloat16().float(), values)
    for m in (0, 1, 33, 127):
        assert torch.equal(weights[:, m], torch.tensor(np.array(row_weights(inputs, m))))


def test_chained_is_the_plain_loop():
    inputs = case(1)
    out = call(REFERENCE.chained, inputs)
    attn = inputs["attn"].float().numpy()[0]
    for m in (0, 77):
        total = np.float32(0)
        for k, weight in enumerate(row_weights(inputs, m)):
            total = total + weight * attn[k]
        assert out[0, m].item() == total


@pytest.mark.parametrize("split", [1, 2, 8])
def test_split_order_is_the_plain_loop(split: int):
    inputs = case(2)
    out = call(REFERENCE.split_order, inputs, SPLIT=split)
    weights, attn = row_weights(inputs, 91), inputs["attn"].float().numpy()[1]
    total = np.float32(0)
    for group in range(4):
        for bx in range(split):
            slot = np.float32(0)
            for k in range(1536 * bx // split, 1536 * (bx + 1) // split):
                slot = slot + weights[1536 * group + k] * attn[1536 * group + k]
            total = total + slot
    assert out[1, 91].item() == total


def test_a_split_that_cuts_groups_is_refused():
    with pytest.raises(ValueError, match="SPLIT=64 does not cut 1536 columns into groups"):
        call(REFERENCE.split_order, case(1), SPLIT=64)


@pytest.mark.parametrize("warps", [12, 24])
def test_grouped_order_is_the_plain_loop(warps: int):
    inputs, m = case(1, EVERY), 45
    out = call(REFERENCE.grouped_order, inputs, WARPS=warps)
    w, scales = inputs["w"].numpy(), inputs["scales"].numpy()
    attn = inputs["attn"].double().numpy()[0]

    def term(group: int) -> np.float32:
        own = attn[16 * group : 16 * group + 16]
        # 255 eighths of a power of two and more would round up to the next one in 15 bits.
        exponent = int(np.floor(np.log2(abs(own).max() * 257 / 256)))
        exponent += (abs(own).max() / 2.0**exponent) * 128 >= 255
        whole = np.rint(own / 2.0 ** (exponent - 14))
        assert abs(whole).max() <= 254 * 128
        dot = sum(2 * fp4(w, m, 16 * group + i) * whole[i] for i in range(16))
        scale = np.float32(e4m3(scale_byte(scales, m, group)) * 2.0 ** (exponent - 15))
        return np.float32(dot) * scale

    total, steps = None, 96 // warps
    for warp in range(warps):
        lanes = [np.float32(0)] * 4
        for step in range(steps):
            lanes = [lanes[t] + term((steps * warp + step) * 4 + t) for t in range(4)]
        own = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
        total = own if total is None else total + own
    assert total is not None
    assert out[0, m].item() == total * np.float32(GLOBAL_SCALE)


@pytest.mark.parametrize("scales", [USUAL, EVERY])
def test_orders_differ_and_stay_near_the_truth(scales: Integers):
    inputs = case(2, scales)
    outs = [call(REFERENCE.chained, inputs)]
    outs += [call(REFERENCE.split_order, inputs, SPLIT=s) for s in (1, 2, 4, 8)]
    outs += [call(REFERENCE.grouped_order, inputs, WARPS=warps) for warps in (12, 24)]
    for index, out in enumerate(outs):
        assert out.dtype == torch.float32
        assert not any(torch.equal(out, other) for other in outs[:index])
        # What study.py says when it derives the tolerance.
        error = errors(out, inputs)
        assert error.rms < 4e-6
        assert error.peak < 2e-5


def test_activations_become_integers_of_15_bits():
    worst = torch.tensor([0x7F, 0xFF], dtype=torch.float32).repeat(1, 8).view(1, 1, 16) / 64
    whole, unit = REFERENCE._integers(worst.bfloat16().float())
    assert whole.abs().max() <= 254 * 128
    assert torch.equal(whole * unit[..., None] * 2, worst)
    whole, unit = REFERENCE._integers(torch.zeros(1, 1, 16))
    assert whole.count_nonzero() == 0 and torch.isfinite(unit).all()


# What stands for the functions of wo.cu that are single instructions.
PTX = {
    "load_once": "std::memcpy(to, from, kBytes); if (kBytes == 2) to[0] &= 0xffff;",
    "load_activations": "return *from;",
    "permute": "return prmt(low, high, selector);",
    "turn_over": "return x * tables.minus_one + tables.minus_one;",
    "multiply": "mma_m16n8k32(sum, {a0, a1, a2, a3}, {b.x, b.y});",
    "decode_scales": "return {from_e4m3(pair), from_e4m3(pair >> 8)};",
}
MAIN = """
int main(int, char** words) {
  const auto attn = read_file<__nv_bfloat16>("attn");
  const auto codes = read_file<uint8_t>("codes"), scales = read_file<uint8_t>("lane_scales");
  const int rows = std::atoi(words[1]), items = attn.size() / kColumns;
  std::vector<float> out(rows * items, NAN);
  const Problem p{attn.data(), codes.data(), scales.data(), std::strtof(words[2], nullptr), rows,
                  out.data()};
  const unsigned blocks = (rows + kRows - 1) / kRows;
  run_grid({blocks, static_cast<unsigned>(items), 1}, kThreads, [&] { wo_stream_kernel(p); });
  std::FILE* file = std::fopen("out", "wb");
  std::fwrite(out.data(), sizeof(float), out.size(), file);
  std::fclose(file);
}
"""


@pytest.mark.parametrize(
    "changed",
    [{}, {"PASSES": 1}, {"WARPS": 24, "NEIGHBOURS": 0}, {"WARPS": 16, "PASSES": 1}],
    ids=str,
)
def test_the_kernel_run_on_the_cpu_equals_grouped_order_bit_for_bit(changed, tmp_path: Path):
    params = STUDY.solution("stream").params | changed
    text = (FOLDER / "wo.cu").read_text().partition("void Wo(TensorView")[0] + "}  // namespace\n"
    program = block_on_cpu.build(block_on_cpu.replace_ptx(text, PTX, MAIN), tmp_path, params)
    inputs = case(2, EVERY)
    own = {name: params[name] for name in ("WARPS", "NEIGHBOURS")}
    given = {"attn": inputs["attn"].view(torch.int16)}
    given |= PREPARE.streamed(inputs["w"], inputs["scales"], **own)
    for name, tensor in given.items():
        tensor.numpy().tofile(tmp_path / name)
    subprocess.run([program, "128", str(GLOBAL_SCALE)], cwd=tmp_path, check=True, timeout=120)
    out = torch.from_numpy(np.fromfile(tmp_path / "out", np.float32)).view(2, 128)
    assert torch.equal(out, call(REFERENCE.grouped_order, inputs, WARPS=params["WARPS"]))


def test_the_torch_baseline_is_right():
    inputs = case(3)
    dense = PREPARE.dense(inputs["w"], inputs["scales"])
    out = MATMUL.wo(inputs["attn"], **dense, global_scale=GLOBAL_SCALE)
    assert out.dtype == torch.float32 and out.shape == (3, 128)
    assert errors(out, inputs).passed


@pytest.mark.parametrize("name", [each.name for each in STUDY.wrong])
def test_controls_are_refused(name: str):
    inputs = case(1)
    wrong = STUDY.solution(name)
    out = call(getattr(import_file(FOLDER, wrong.path), wrong.function), inputs)
    assert out.dtype == torch.float32 and out.shape == (1, 128)
    assert not errors(out, inputs).passed


def build(name: str, tmp_path: Path) -> tuple[Path, int]:
    """Return a library, in which its target was found, and the bytes that its kernels spill."""
    solution = STUDY.solution(name)
    sources = tmp_path / "sources"
    for path in solution.files:
        sources.mkdir(exist_ok=True)
        shutil.copy(FOLDER / path, sources / path)
    _, library = build_library(
        solution, sources, capability=None, limit=200, cache=tmp_path / "cache", scratch=tmp_path
    )
    log = library.with_suffix(".log").read_text()
    return library, sum(map(int, re.findall(r"(\d+) bytes spill stores", log)))


@pytest.mark.parametrize("split", [1, 8])
def test_cpu_equals_split_order_bit_for_bit(split: int, tmp_path: Path):
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("this CPU has no AVX2")
    library, _ = build(f"cpu-split{split}", tmp_path)
    entry = tvm_ffi.load_module(str(library)).wo
    for inputs in (case(1), case(3), case(1, EVERY)):
        out = torch.full((len(inputs["attn"]), 128), float("nan"))
        entry(*inputs.values(), GLOBAL_SCALE, out)
        assert torch.equal(out, call(REFERENCE.split_order, inputs, SPLIT=split))
    with pytest.raises(ValueError, match="w has shape"):
        entry(inputs["attn"], inputs["w"][:64], inputs["scales"], GLOBAL_SCALE, out)
    with pytest.raises(TypeError, match="attn has dtype"):
        entry(inputs["attn"].float(), inputs["w"], inputs["scales"], GLOBAL_SCALE, out)


@pytest.mark.parametrize("name", ["coop64-split1", "stream", "stream-passes1"])
def test_cuda_compiles_for_hopper_and_spills_nothing(name: str, tmp_path: Path):
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    library, spilled = build(name, tmp_path)
    assert spilled == 0
    if name.startswith("stream"):
        shown = disassemble(library)
        first = {what: first_line(what, shown) for what in ("LDG.E.128", "LDG.E.NA.128", "IMMA")}
        # Activations are asked for before the weights, both before anything is multiplied.
        assert first["LDG.E.128"] < first["LDG.E.NA.128"] < first["IMMA"]


def first_line(what: str, lines: list[str]) -> int:
    return next(i for i, line in enumerate(lines) if what in line)


def disassemble(library: Path) -> list[str]:
    triton = pytest.importorskip("triton")
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    if not tool.exists():
        pytest.skip("the SASS was not read: triton came without cuobjdump")
    command = [str(tool), "-sass", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()
