"""The kernel of two legs by itself: how much slower is the slowed one, in a decode step's shape?"""

import roofmark as rm


def kernel(name: str, repeat: int) -> rm.Solution:
    return rm.Solution(
        name, "rms_norm.py::rms_norm", devices=("cuda",), requires=("triton",),
        params={"REPEAT": repeat},
    )  # fmt: skip


study = rm.Study(
    title="RMS normalisation of one token, and the same slowed down",
    definition=rm.Definition(
        name="rms-norm",
        axes={"n": rm.VAR, "d": 4096},
        inputs={"x": rm.Tensor("n d", "bfloat16"), "w": rm.Tensor("d", "bfloat16")},
        outputs={"y": rm.Tensor("n d", "bfloat16")},
        reference="reference.py::rms_norm",
        tolerance=rm.Tolerance(rms=4e-3),
        flops="4*n*d",
        traffic="2*(2*n*d + d)",
    ),
    workloads=[rm.Workload(axes={"n": 1})],
    solutions=[kernel("rms", 1), kernel("slowed", 32)],
    baseline="rms",
    wrong=[rm.Solution("no_weight", "no_weight.py::rms_norm", devices=("cuda",))],
    protocol=rm.Protocol(tier="graph", cache="warm", time_limit=240.0),
)
