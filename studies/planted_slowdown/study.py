"""Does roofmark find a slow-down of five percent that was planted, and only that one?

`steady` and `slower` are the same program; `slower` does five percent more of the same work. The
twin of the baseline must come out `same`, `copy` (the same program under another name) too.
"""

import roofmark as rm

study = rm.Study(
    title="A planted slow-down of 5 %",
    definition=rm.Definition(
        name="planted_slowdown",
        axes={"n": rm.VAR},
        inputs={"x": rm.Tensor("n", "float32", rm.Uniform(-1.0, 1.0))},
        outputs={"y": rm.Tensor("n", "float32")},
        reference="reference.py::contract",
        tolerance=rm.Tolerance(rms=1e-5, peak=1e-4),
        flops="4000*n",  # 2,000 dependent multiply-adds per element
        traffic="8*n",
    ),
    workloads=[rm.Workload(axes={"n": n}) for n in (4096, 16384)],
    solutions=[
        rm.Solution("steady", "work.cpp::steady", target="avx2", devices=("cpu",)),
        rm.Solution("copy", "work.cpp::steady", target="avx2", devices=("cpu",)),
        rm.Solution("slower", "work.cpp::slower", target="avx2", devices=("cpu",)),
    ],
    baseline="steady",
    wrong=[rm.Solution("untouched", "wrong/untouched.py::contract")],
    # Chosen: a fresh process costs four seconds and a visit ten milliseconds, so many visits.
    protocol=rm.Protocol(margin=0.02, time_limit=300.0, calls=16, blocks=24),
)
