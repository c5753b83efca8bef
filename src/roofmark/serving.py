"""Serving: the definition and the workloads of a study of engines, in the words of engines.

In: names and numbers of tokens. Out: an ordinary `Definition`, whose axes are those of a load and
whose tensors are none, since nothing in it is computed by us; and ordinary `Workload`s.

    study = rm.Study(
        definition=rm.engine("llama-8b"),
        workloads=[rm.load(prompt=512), rm.load(generate=128)],
        solutions=[rm.Solution("plain", leg=rm.Server(...)), rm.Solution("graphs", ...)],
        baseline="plain",
        serving=rm.Serving(),
        protocol=rm.Protocol(tier="token", cache="warm", margin=0.03),
    )
"""

from typing import Annotated

from msgspec import Meta

from roofmark.records import Record
from roofmark.study import VAR, Definition, Exact, Workload

LOAD_AXES = ("prompt", "generate", "concurrency", "rate")
"""The axes of every load, in the order in which files name them."""


class Load(Record):
    """What is asked of an engine; see `load`."""

    prompt: Annotated[int, Meta(ge=1)] = 1
    generate: Annotated[int, Meta(ge=0)] = 0
    concurrency: Annotated[int, Meta(ge=1)] = 1
    rate: Annotated[int, Meta(ge=0)] = 0

    @property
    def tokens(self) -> int:
        """How many tokens one request must bring: prefill ends with the first."""
        return max(1, self.generate)


def engine(name: str, *, flops: str = "0", traffic: str = "0") -> Definition:
    """Return the definition of a study of engines.

    flops, traffic: of one token of the `token` tier, over the axes prompt, generate, concurrency
        and rate; "0" where they are not known, and then no roof is drawn.
    """
    return Definition(
        name=name,
        axes=dict.fromkeys(LOAD_AXES, VAR),
        inputs={},
        outputs={},
        reference="",
        tolerance=Exact(),
        flops=flops,
        traffic=traffic,
    )


def load(
    *,
    prompt: int = 1,
    generate: int = 0,
    concurrency: int = 1,
    rate: int = 0,
    held_out: bool = False,
) -> Workload:
    """Return the workload that asks for this load, named "pp512", "tg128", "pp512-tg128-c8".

    prompt, generate: tokens; a load that generates nothing measures prefill (pp), one with a prompt
        of 1 decode (tg). concurrency: streams; each sends the protocol's `calls` requests.
    rate: requests per minute in an open loop (Poisson, seeded by the run's entropy) of calls *
        concurrency requests; 0 is a closed loop, in which a stream sends its next request when the
        last one is answered.
    """
    parts = [f"pp{prompt}"] if prompt > 1 or not generate else []
    parts += [f"tg{generate}"] if generate else []
    parts += [f"c{concurrency}"] if concurrency > 1 else []
    parts += [f"r{rate}"] if rate else []
    sizes: dict[str, int] = dict(zip(LOAD_AXES, (prompt, generate, concurrency, rate), strict=True))
    return Workload(name="-".join(parts), axes=sizes, held_out=held_out)


def load_of(workload: Workload) -> Load:
    """Return what a workload of such a study asks. Raises: KeyError for any other workload."""
    return Load(**{name: workload.axes[name] for name in LOAD_AXES})
