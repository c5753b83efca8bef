"""The study: RMS norm over the last axis, against two lines of torch.

In: nothing. Out: `study`. Run it with `roofmark run .`; README.md says what to change first.
"""

import roofmark as rm

study = rm.Study(
    definition=rm.Definition(
        name="rmsnorm",
        axes={"n": rm.VAR, "d": 1024},
        inputs={"x": rm.Tensor("n d", "float32"), "w": rm.Tensor("d", "float32")},
        scalars={"eps": 1e-6},
        outputs={"y": rm.Tensor("n d", "float32")},
        reference="reference.py::rmsnorm",
        # Chosen: float32 sums of 1,024 squares, in any order, stay a hundred times below this.
        tolerance=rm.Tolerance(rms=1e-5, peak=1e-4),
        # Per element: square, add, scale, weight. Each of x and y crosses memory once, and w.
        flops="4*n*d",
        traffic="4*(2*n*d + d)",
    ),
    # Chosen: one row (latency), a size that no power of two divides, one that fills a device.
    workloads=[rm.Workload(axes={"n": n}) for n in (1, 127, 1024)],
    solutions=[
        rm.Solution("eager", "eager.py::rmsnorm"),
        # {{solution}}
    ],
    baseline="eager",
    # Wrong on purpose: a gate that lets this one pass makes the whole study invalid.
    wrong=[rm.Solution("no_weight", "wrong/no_weight.py::rmsnorm")],
    protocol=rm.Protocol(margin=0.02, time_limit=300.0),
)
