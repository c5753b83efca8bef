"""Does roofmark find a slow-down of five percent that was planted on a GPU, and only that one?"""

import roofmark as rm

study = rm.Study(
    title="A planted slow-down of 5 % on a GPU",
    definition=rm.Definition(
        name="planted_slowdown_cuda",
        axes={"n": rm.VAR},
        inputs={"x": rm.Tensor("n", "float32", rm.Uniform(-1.0, 1.0))},
        outputs={"y": rm.Tensor("n", "float32")},
        reference="reference.py::contract",
        tolerance=rm.Tolerance(rms=1e-5, peak=1e-4),
        flops="4000*n",  # 2,000 dependent multiply-adds per element
        traffic="8*n",
    ),
    # One CTA per SM of an H200 (132 SMs, 256 threads), and 32.
    workloads=[rm.Workload(axes={"n": n}) for n in (33792, 1081344)],
    solutions=[
        rm.Solution("steady", "work.cu::steady"),
        rm.Solution("copy", "work.cu::steady"),
        rm.Solution("slower", "work.cu::slower"),
    ],
    baseline="steady",
    wrong=[rm.Solution("untouched", "wrong/untouched.py::contract")],
    protocol=rm.Protocol(margin=0.02, time_limit=120.0),
)
