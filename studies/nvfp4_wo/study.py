"""The study: what does splitting K buy an NVFP4 output projection in one decode step?

In: nothing. Out: `study`. One row of activations times a [5120, 6144] matrix of 4-bit weights,
after attention and before the residual. README.md gives the format, the orders of summation, the
bytes and the steps of the kernels.
"""

from typing import Any

from msgspec.structs import replace

import roofmark as rm

# Chosen: E4M3 bytes 0x20 ... 0x50 are 0.125 ... 8, positive and finite, none subnormal; a loader
# that fits each group's largest element to 6 lands there. With this global scale the weights come
# out at an rms of 0.02, as a projection of this width has them; it is no power of two, so
# multiplying by it rounds.
USUAL = rm.Integers(0x20, 0x51)
GLOBAL_SCALE = 0.0021

# Chosen: the orders here are 4e-6 rms and 2e-5 peak away from float64 at most (the tests hold them
# to that); weights rounded to TF32 are 2e-4 rms away, to bfloat16 1.7e-3.
TOLERANCE = rm.Tolerance(rms=1e-5, peak=1e-4)
TRAFFIC = "H*K//2 + H*K//16 + 2*B*K + 4*B*H"

definition = rm.Definition(
    name="nvfp4_wo",
    axes={"B": rm.VAR, "H": rm.VAR, "K": 6144},
    inputs={
        "attn": rm.Tensor("B K", "bfloat16", rm.Normal(1.0)),
        "w": rm.Tensor("H K//2", "uint8", rm.Integers(0x00, 0x100)),
        "scales": rm.Tensor("H//128 K//64 512", "uint8", USUAL),
    },
    weights=("w", "scales"),
    scalars={"global_scale": GLOBAL_SCALE},
    outputs={"out": rm.Tensor("B H", "float32")},
    reference="reference.py::matmul",
    tolerance=TOLERANCE,
    flops="2*B*H*K",
    # Codes, scales, activations, output; every one of them once.
    traffic=TRAFFIC,
)


Values = rm.Normal | rm.Uniform | rm.Integers


def held_out(name: str, B: int, H: int, **values: Values) -> rm.Workload:
    return rm.Workload(axes={"B": B, "H": H}, name=name, held_out=True, values=values)


workloads = (
    rm.Workload(axes={"B": 1, "H": 5120}, name="B1"),
    *(rm.Workload(axes={"B": 1, "H": 5120}, name=f"B1-s{seed}", seed=seed, held_out=True)
      for seed in (1, 2)),
    held_out("B2", 2, 5120),
    held_out("B3", 3, 5120),
    # An eighth of the rows: what a CPU, or a test, gets through quickly.
    held_out("H640", 1, 640),
    # 0x00 ... 0x7e is every positive finite E4M3: zero, subnormals, 448.
    held_out("H640-all-scales", 1, 640, scales=rm.Integers(0x00, 0x7F)),
    held_out("H640-large-attn", 2, 640, attn=rm.Normal(100.0, mean=50.0)),
)  # fmt: skip


def variant(name: str, entry: str, *, first: str, **fields: Any) -> rm.Solution:
    """Return a solution that is tried only when the simplest of its family was found right."""
    if name != first:
        fields["after"] = first
    return rm.Solution(name, entry, **fields)


def cpu(split: int) -> rm.Solution:
    return variant(
        f"cpu-split{split}",
        "wo.cpp::wo",
        first="cpu-split1",
        target="avx2",
        # A fused multiply-add would round once where split_order rounds twice.
        flags=("-fopenmp", "-ffp-contract=off"),
        params={"SPLIT": split},
        exact="reference.py::split_order",
    )


def cooperative(ctas: int, split: int) -> rm.Solution:
    """Return a grid of `ctas`, of which 4 * split sum a slot each; then all sum the slots."""
    return variant(
        f"coop{ctas}-split{split}",
        "cooperative.cu::wo",
        first="coop64-split1",
        sources=("gpu_tensors.h",),
        target="sm_90a",
        params={"CTAS": ctas, "SPLIT": split},
        prepare="prepare.py::workspace",
        exact="reference.py::split_order",
        # The sums of the slots are written once and read once.
        traffic=f"{TRAFFIC} + 2*4*B*{4 * split}*H",
    )


# What `roofmark loop --search` may change stands as digits in this solution and nowhere else.
STREAM = rm.Solution(
    "stream",
    "wo.cu::wo",
    sources=("gpu_tensors.h",),
    target="sm_90a",
    params={"WARPS": 12, "DEPTH": 4, "PASSES": 2, "NEIGHBOURS": 1},
    prepare="prepare.py::streamed",
    exact="reference.py::grouped_order",
)
AS_SET_OUT = {"WARPS": 12, "DEPTH": 4, "PASSES": 2, "NEIGHBOURS": 1}


def stream_but(name: str, **params: int) -> rm.Solution:
    """Return the streaming kernel with one thing done otherwise."""
    return replace(STREAM, name=f"stream-{name}", params=AS_SET_OUT | params, after=STREAM.name)


solutions = (
    rm.Solution(
        "torch",
        "torch_matmul.py::wo",
        prepare="prepare.py::dense",
        traffic="4*H*K + 2*B*K + 4*B*H",
    ),
    rm.Solution(
        "torch-bfloat16",
        "torch_matmul.py::wo_bfloat16",
        prepare="prepare.py::dense_bfloat16",
        devices=("cuda",),
        traffic="2*H*K + 2*B*K + 4*B*H",
    ),
    *(cpu(split) for split in (1, 2, 4, 8)),
    cooperative(64, 1),
    *(cooperative(32, split) for split in (1, 2, 4, 8)),
    STREAM,
    stream_but("warps16", WARPS=16),
    stream_but("warps24", WARPS=24),
    stream_but("apart", NEIGHBOURS=0),
    stream_but("passes1", PASSES=1),
)

study = rm.Study(
    title="NVFP4 output projection, one decode step (5120 x 6144, a scale for 16 weights)",
    definition=definition,
    workloads=workloads,
    solutions=solutions,
    baseline="torch",
    contrasts=(
        # The audit's factorial: A = coop64-split1, B = coop32-split1, C = coop32-split8.
        rm.Contrast("grid", of="coop32-split1", against="coop64-split1"),
        rm.Contrast("active", of="coop32-split8", against="coop32-split1"),
        rm.Contrast("both", of="coop32-split8", against="coop64-split1"),
        rm.Contrast("warps", of="stream-warps24", against="stream"),
        rm.Contrast("passes", of="stream-passes1", against="stream"),
    ),
    protocol=rm.Protocol(tier="graph", cache="cold", margin=0.02, time_limit=600.0),
    wrong=tuple(
        rm.Solution(name, f"wrong/{name}.py::wo", sources=("prepare.py",))
        for name in (
            "zeros",
            "nibbles_swapped",
            "scales_not_swizzled",
            "global_scale_divides",
            "last_slot_dropped",
            "sign_ignored",
            "last_row_skipped",
            "bfloat16_weights",
            "bfloat16_output",
        )
    ),
)
