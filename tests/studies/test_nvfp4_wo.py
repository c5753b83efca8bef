"""The NVFP4 study without a GPU: the format, the orders of summation, the solutions that run here.

Orders are compared with plain numpy loops over one value at a time; the streaming kernel's layout
with a model of a warp in which lanes hold what the instructions say they hold.
"""

import re
import shutil
import subprocess
from functools import cache
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


def look_up(table: list[int], codes: np.ndarray) -> np.ndarray:
    """Return what PRMT finds for 4-bit codes: a table's byte; where bit 3 is set, its sign."""
    found = np.array(table)[codes & 7]
    return np.where(codes & 8, np.where(found < 0, -1, 0), found)


def decode(codes: np.ndarray, passes: int) -> list[np.ndarray]:
    """Return wo.cu's factors: they add up to twice the weights, or to that plus 12."""
    if passes == 2:
        plus, minus = [0, 2, 3, 4, 5, 7, 9, 13], [-12, -8, -6, -4, -3, -2, -1, 0]
        return [look_up(plus, codes), look_up(minus, ~codes & 15)]
    plus, minus = [12, 13, 14, 15, 16, 18, 20, 24], [0, 4, 6, 8, 9, 10, 11, 12]
    return [look_up(plus, codes) | look_up(minus, ~codes & 15)]


@pytest.mark.parametrize("passes", [1, 2])
def test_tables_find_every_weight_in_bytes(passes: int):
    factors = decode(np.arange(16), passes)
    assert all(each.min() >= -128 and each.max() <= 127 for each in factors)
    doubled = [2 * value for value in FP4]
    expected = np.array(doubled + [-value for value in doubled]) + (12 if passes == 1 else 0)
    assert np.array_equal(sum(factors), expected)


def test_the_tables_are_those_of_the_kernel():
    text = (FOLDER / "wo.cu").read_text()
    for passes in (1, 2):
        for table in (decode_table(passes, 0), decode_table(passes, 15)):
            low, high = (int.from_bytes(bytes(table[i : i + 4]), "little") for i in (0, 4))
            assert f"{{0x{low:08x} + none, 0x{high:08x} + none}}" in text


def decode_table(passes: int, turned: int) -> list[int]:
    """Return the eight bytes of one table: what is found where bit 3 of the looked-up code is 0."""
    factors = decode(np.arange(16) if turned == 0 else 15 - np.arange(16), passes)
    return [int(value) & 255 for value in factors[-1 if turned else 0][:8]]


def split_bytes(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    high = (whole + 128) >> 8
    low = whole - 256 * high
    assert abs(whole).max() <= 254 * 128
    assert high.min() >= -128 and high.max() <= 127 and low.min() >= -128 and low.max() <= 127
    return high, low


def multiply(a: dict[tuple[int, int], np.ndarray], whole: np.ndarray, half: int) -> np.ndarray:
    """Model one m16n8k32 product: a lane's 8 bytes in each of its rows, its group's activations.

    Fragments as the PTX manual lays them out. Returns [16 rows, 8 columns].
    """
    left, right = np.zeros((16, 32), dtype=np.int64), np.zeros((32, 8), dtype=np.int64)
    for lane in range(32):
        r, t = lane // 4, lane % 4
        places = [4 * t + i % 4 + 16 * (i // 4) for i in range(8)]
        for side in range(2):
            left[r + 8 * side, places] = a.get((lane, side), 0)
        # The same lane holds column n = lane // 4 of B, of which group n // 2 counts.
        if t == r // 2:
            right[places, r] = split_bytes(whole[t])[r % 2][8 * half : 8 * half + 8]
    return left @ right


def dots(sums: np.ndarray, lane: int) -> list[int]:
    """Return 256 * high + low of both of a lane's rows."""
    r, t = lane // 4, lane % 4
    return [256 * int(sums[row, 2 * t]) + int(sums[row, 2 * t + 1]) for row in (r, r + 8)]


def nibbles(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes & 15, codes >> 4], axis=-1).reshape(*codes.shape[:-1], -1)


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize(("warps", "neighbours"), [(12, 1), (16, 0), (24, 1)])
def test_each_lane_gets_the_sums_of_its_own_weights(warps: int, neighbours: int, passes: int):
    """The layout of `streamed`, the fragments and the look-ups give grouped_order's integers."""
    inputs, steps = case(1), 96 // warps
    given = PREPARE.streamed(inputs["w"], inputs["scales"], warps, neighbours)
    codes, lane_scales = given["codes"].numpy(), given["lane_scales"].numpy()
    assert lane_scales.shape == (4, warps, 160 * steps)  # 128 rows in shares of 40
    whole, _ = REFERENCE._integers(inputs["attn"].float().view(1, -1, 16))
    whole = whole[0].numpy().astype(np.int64)
    for cta, warp, step in [(0, 0, 0), (2, warps - 1, steps - 1), (1, 7, 1)]:
        own = codes[cta, :, warp] if neighbours else codes[cta, warp]
        own = nibbles(own.reshape(-1, 32, 16)).reshape(-1, 32, 2, 16)  # unit, lane, row or step
        groups = (steps * warp + step) * 4 + np.arange(4)
        scales = own_scales(lane_scales[cta, warp], steps)
        for block in range(3):
            alone = block == 2
            unit = 2 * steps + step // 2 if alone else block * steps + step
            total = np.zeros((16, 8), dtype=np.int64)
            for half in range(2):
                part = own[unit][:, :, 8 * half : 8 * half + 8]
                for a in operands(part, alone, step % 2, passes):
                    total += multiply(a, whole[groups], half)
            for lane in range(32):
                g = groups[lane % 4]
                lift = 12 * whole[g].sum() if passes == 1 else 0
                found = [sum(dots(total, lane))] if alone else dots(total, lane)
                for side, dot in enumerate(found):
                    m = 40 * cta + 16 * block + 8 * side + lane // 4
                    assert dot - lift == exact_dot(inputs["w"].numpy(), m, g, whole[g])
                    byte = 4 * steps + step if alone else 2 * unit + side
                    assert scales[lane, byte] == scale_byte(inputs["scales"].numpy(), m, g)


def exact_dot(w: np.ndarray, m: int, g: int, whole: np.ndarray) -> int:
    return int(sum(2 * fp4(w, m, 16 * g + i) * whole[i] for i in range(16)))


def operands(part: np.ndarray, alone: bool, step: int, passes: int):
    """Yield A of each product: [lane, row or step, 8] codes; alone: 8 rows, one of two steps."""
    lanes = range(32)
    if not alone:
        for factor in decode(part, passes):
            yield {(lane, side): factor[lane, side] for lane in lanes for side in range(2)}
        return
    # One product: the second pass takes the place of the rows that are not there.
    factors = decode(part[:, step], passes)
    yield {(lane, side): each[lane] for lane in lanes for side, each in enumerate(factors)}


def own_scales(pieces: np.ndarray, steps: int) -> np.ndarray:
    """Return [lane, 5 * steps]: pieces of 16, 8, 4 and 2 bytes, each for all lanes."""
    found, left = [], 5 * steps
    while left:
        size = next(size for size in (16, 8, 4, 2) if size <= left)
        piece, pieces = np.split(pieces, [32 * size])
        found.append(piece.reshape(32, size))
        left -= size
    return np.concatenate(found, axis=1)


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
