"""Decode of an 8B-shaped Llama with random weights on a GPU: what the host and a kernel cost.

Five legs that differ in one thing each. `graphs` is the baseline because its host has little to do:
its times, and its twin's, stay within a few parts in a thousand where those of `static` move by a
tenth. `graphs-rms` is `graphs` with our own RMS normalisation in
place of the model's; `graphs-slowed` is that with a kernel that is slow on purpose, so that a
prediction from kernel.py's ratio (roofmark amdahl) has something to be held to.

A leg holds 16 GB of weights, and the legs of a process set live side by side: all five and the
twin need 100 GB; a smaller GPU takes fewer (`-s static`), or together=False. Weights are drawn on
the device, so an engine is there in seconds.
"""

import roofmark as rm

ENGINE = rm.Engine(vocabulary=128256, ready_limit=300.0)


def leg(name: str, entry: str, **more: object) -> rm.Solution:
    return rm.Solution(
        name, f"engines.py::{entry}", sources=("rms_norm.py",), requires=("transformers", "triton"),
        devices=("cuda",), leg=ENGINE, **more,
    )  # fmt: skip


plain = rm.Treatment(graph_replays=0.0)
graphs = rm.Treatment(graph_replays=1.0, without=("rms_norm_kernel",))
own = rm.Treatment(graph_replays=1.0, kernels=("rms_norm_kernel",))
study = rm.Study(
    title="Decode of an 8B-shaped model",
    definition=rm.engine("decode-engine-8b"),
    workloads=[rm.load(prompt=512), rm.load(generate=128)],
    solutions=[
        leg("eager", "eager", treatment=plain),
        leg("static", "static", treatment=plain),
        leg("graphs", "graphs", treatment=graphs),
        leg("graphs-rms", "graphs_rms", treatment=own),
        leg("graphs-slowed", "graphs_slowed", treatment=own),
    ],
    baseline="graphs",
    contrasts=[
        rm.Contrast("graphs-on", of="graphs", against="static"),
        rm.Contrast("own-rms", of="graphs-rms", against="graphs"),
        rm.Contrast("slowed-rms", of="graphs-slowed", against="graphs-rms"),
    ],
    serving=rm.Serving(profile=16, compare=8),
    protocol=rm.Protocol(
        tier="token", cache="warm", margin=0.03, processes=(4, 8), blocks=2, calls=2,
        time_limit=1500.0, call_limit=120.0, memory_limit=64 * 2**30,
    ),
)  # fmt: skip
