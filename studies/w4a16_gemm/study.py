"""The study: a product of few tokens with int4 weights, over the shapes of two models' projections.

In: nothing. Out: `study`. Weights are 4-bit integers in groups of 128 columns that share a float16
scale; activations and results are float16. README.md derives the costs below.
"""

import roofmark as rm

definition = rm.Definition(
    name="w4a16_gemm",
    axes={"M": rm.VAR, "N": rm.VAR, "K": 4096},  # tokens, outputs, inputs
    inputs={
        "x": rm.Tensor("M K", "float16", rm.Normal(1.0)),
        # Every byte is two weights; all 256 occur.
        "qweight": rm.Tensor("N K//2", "uint8", rm.Integers(0, 256)),
        "scales": rm.Tensor("N K//128", "float16", rm.Uniform(0.005, 0.02)),
    },
    weights=("qweight", "scales"),
    outputs={"y": rm.Tensor("M N", "float16")},
    reference="reference.py::w4a16_gemm",
    reference_dtype="float32",
    # Chosen: rounding y to float16 costs 2.1e-4 rms; weights rounded to float16 before that, as a
    # library's product needs them, make it 2.8e-4. 1e-3 lets both through. The mildest wrong
    # solution, the lowest bit of every weight lost, is off by 10 %.
    tolerance=rm.Tolerance(rms=1e-3, peak=1e-2),
    flops="2*M*N*K",
    traffic="N*K//2 + 2*N*(K//128) + 2*M*(K + N)",
)

# Source: FACTS of the field: the projections of an 8b model, and of a 70b one over two devices.
SHAPES = {"8b": 4096, "70b-tp2": 8192}
published = [
    rm.Workload(name=f"{model}-b{m}", axes={"M": m, "N": n})
    for model, n in SHAPES.items()
    for m in (1, 4, 8, 16, 32, 64, 128)
]
# Chosen: numbers of tokens that divide nothing, and one far beyond what any tile holds.
unseen = [
    rm.Workload(name=f"odd-m{m}", axes={"M": m, "N": 4096}, held_out=True)
    for m in (3, 7, 11, 33, 65, 257)
]

WIDE = "4*N*K//2 + 2*M*(K + N)"  # bytes of a product with float16 weights


def control(name: str) -> rm.Solution:
    return rm.Solution(name, f"wrong/{name}.py::w4a16_gemm")


study = rm.Study(
    title="W4A16 GEMM (int4 weights in groups of 128, float16 activations)",
    definition=definition,
    workloads=(*published, *unseen),
    solutions=(
        rm.Solution("library", "library.py::w4a16_gemm", prepare="prepare.py::widen", traffic=WIDE),
        rm.Solution(
            "cuda", "cuda.cu::w4a16_gemm", prepare="prepare.py::fragments", target="sm_90a"
        ),
        rm.Solution(
            "simd",
            "simd.cpp::w4a16_gemm",
            prepare="prepare.py::halves",
            target="avx2",
            flags=("-fopenmp",),
        ),
        rm.Solution(
            "triton",
            "triton_kernel.py::w4a16_gemm",
            prepare="prepare.py::halves",
            devices=("cuda",),
            requires=("triton",),
        ),
        rm.Solution(
            "host_heavy",
            "host_heavy.py::w4a16_gemm",
            sources=("triton_kernel.py",),
            prepare="prepare.py::halves",
            devices=("cuda",),
            requires=("triton",),
        ),
    ),
    baseline="library",
    wrong=tuple(
        control(name)
        for name in (
            "nibbles_swapped",
            "unsigned",
            "one_scale",
            "next_scale",
            "last_group_dropped",
            "three_bits",
            "zeros",
        )
    ),
    contrasts=(rm.Contrast("wrapper", of="host_heavy", against="triton"),),
    protocol=rm.Protocol(tier="graph", cache="cold", margin=0.02, time_limit=600.0),
)
