"""Decode of a small Llama-like model on whatever is here: no cache, a growing one, a static one.

Under two minutes on two idle cores. `served` is `cached` behind the OpenAI protocol, so its
contrast is what HTTP and a process boundary cost. What it teaches: a cache changes decode and not
prefill; the same tokens come out of all legs; where the time of a small model goes.
"""

import roofmark as rm

VOCABULARY = 512
ENGINE = rm.Engine(vocabulary=VOCABULARY)


SERVER = rm.Server(
    run=(
        "{python}",
        "-m",
        "roofmark.engines.serve",
        "{folder}/engines.py::cached",
        "--port",
        "{port}",
    ),
    vocabulary=VOCABULARY,
)


def leg(name: str) -> rm.Solution:
    return rm.Solution(name, f"engines.py::{name}", requires=("transformers",), leg=ENGINE)


study = rm.Study(
    title="Decode of a small Llama-like model",
    definition=rm.engine("decode-engine"),
    workloads=[rm.load(prompt=64), rm.load(prompt=64, generate=16)],
    solutions=[
        leg("uncached"), leg("cached"), leg("static"),
        rm.Solution("served", sources=("engines.py",), requires=("transformers",), leg=SERVER),
    ],
    contrasts=[rm.Contrast("http", of="served", against="cached")],
    baseline="uncached",
    serving=rm.Serving(profile=8, compare=8),
    protocol=rm.Protocol(
        tier="token", cache="warm", margin=0.05, processes=(6, 8), blocks=4, calls=4,
        time_limit=95.0, call_limit=30.0,
    ),
)  # fmt: skip
