"""The Triton solution as machine code for Hopper, built where there is no GPU.

In: the kernel and the slicings that its entry chooses. Out: PTX from a process of its own (Triton
reads its environment on import, and another test may have set the interpreter). The interpreter
shows that the kernel is right; only the compiled one shows that the state moves in 16-byte pieces.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "studies" / "gdn_decode"

# The entry runs against a kernel that notes what it is launched with, so that a slicing changed
# there is compiled here; a launch needs a driver, compiling does not.
COMPILE = """
import json, sys, types
from pathlib import Path
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from roofmark.bench.importing import import_file

module = import_file(Path(sys.argv[1]), "triton_kernel.py")
kernel, launches = module.gdn_decode_kernel, []

class Recorder:
    def __getitem__(self, grid):
        return lambda *arguments, **options: launches.append((grid, options))

module.gdn_decode_kernel = Recorder()
names = "q k v state A_log a dt_bias b scale output new_state".split()
halves = {"q", "k", "v", "a", "b", "output"}
kinds = {n: "fp32" if n == "scale" else "*bf16" if n in halves else "*fp32" for n in names}
# 16: torch's allocators align to more, and Triton finds that out at the launch.
aligned = {(i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if n != "scale"}
made = {}
for batch in (1, 3, 4, 7, 64):
    state = torch.empty(batch, 8, 128, 128, device="meta")
    module.gdn_decode(**dict.fromkeys(names) | {"state": state})
    (grid, options), warps = launches[-1], launches[-1][1].pop("num_warps")
    signature = kinds | dict.fromkeys(options, "constexpr")
    built = triton.compile(
        ASTSource(kernel, signature, options, aligned),
        target=GPUTarget("cuda", 90, 32), options={"num_warps": warps},
    )
    made[batch] = {"grid": grid, "rows": options["ROWS"], "warps": warps, "ptx": built.asm["ptx"],
                   "cubin": len(built.asm["cubin"])}
print(json.dumps(made))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    pytest.importorskip("triton")
    paths = [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]
    kept = {key: each for key, each in os.environ.items() if key != "TRITON_INTERPRET"}
    own = {
        "PYTHONPATH": os.pathsep.join(paths),
        "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton")),  # no binary of an earlier run
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, str(FOLDER)],
        env=kept | own, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("batch", ["1", "3", "4", "7", "64"])
def test_the_grid_covers_every_row_once(built: dict[str, dict], batch: str):
    items, slices = built[batch]["grid"]
    assert items == 8 * int(batch)
    assert slices * built[batch]["rows"] == 128


@pytest.mark.parametrize("batch", ["1", "64"])
def test_hopper_code_moves_the_state_in_16_byte_pieces(built: dict[str, dict], batch: str):
    made = built[batch]
    assert ".target sm_90a" in made["ptx"]
    assert made["cubin"] > 0  # ptxas took it
    wide = [line for line in made["ptx"].splitlines() if ".v4.b32" in line]
    # Each thread's share of the tile, four floats at a time.
    share = made["rows"] * 128 // (made["warps"] * 32) // 4
    assert sum("ld.global.L1::evict_first" in line for line in wide) == share
    assert sum("st.global.L1::evict_first" in line for line in wide) == share
