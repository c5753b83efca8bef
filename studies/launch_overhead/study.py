"""The study: which gains of small fusions does a CUDA graph hide, and which does it keep?

In: nothing. Out: `study`. The alpha and beta gates of a gated delta net are two tiny matrix-vector
products on the same input, once for each of 60 layers. They can be packed into one product per
layer; a workspace that each product needs can be allocated per call or once. README.md says what
each change is worth with and without a graph.
"""

import roofmark as rm

definition = rm.Definition(
    name="launch_overhead",
    axes={"L": 60, "H": 32, "D": rm.VAR},  # layers, value heads, width of the model
    inputs={
        "x": rm.Tensor("D", "bfloat16", rm.Normal(1.0)),
        "alpha": rm.Tensor("L H D", "bfloat16", rm.Normal(0.02)),
        "beta": rm.Tensor("L H D", "bfloat16", rm.Normal(0.02)),
    },
    weights=("alpha", "beta"),
    outputs={"gates": rm.Tensor("L 2 H", "bfloat16")},
    reference="reference.py::gates",
    # Chosen: rounding to bfloat16 costs 1.7e-3 rms; 1e-2 leaves room for any order of summation.
    tolerance=rm.Tolerance(rms=1e-2),
    flops="4*L*H*D",
    traffic="2*(2*L*H*D + D + 2*L*H)",
)


def solution(name: str, prepare: str = "") -> rm.Solution:
    entry = f"gates.py::{name}"
    return rm.Solution(name, entry, prepare=prepare) if prepare else rm.Solution(name, entry)


study = rm.Study(
    title="60 layers of alpha and beta gates: packing and workspaces, with graphs and without",
    definition=definition,
    workloads=(rm.Workload(axes={"D": 2048}), rm.Workload(axes={"D": 5120})),
    solutions=(
        solution("separate"),
        solution("packed", "gates.py::pack"),
        solution("workspace_kept", "gates.py::pack_with_workspace"),
        solution("workspace_fresh", "gates.py::pack"),
    ),
    baseline="separate",
    contrasts=(
        rm.Contrast("packing", of="packed", against="separate"),
        rm.Contrast("workspace", of="workspace_kept", against="workspace_fresh"),
    ),
    protocol=rm.Protocol(tier="graph", cache="cold", margin=0.02, time_limit=300.0),
    wrong=tuple(
        rm.Solution(name, f"wrong/{name}.py::gates") for name in ("swapped", "one_layer_for_all")
    ),
)
