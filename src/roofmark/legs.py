"""Legs: what a study of serving engines says beyond other studies.

In: the author's `study.py`. Out: records that `Solution.leg`, `Solution.treatment` and
`Study.serving` hold. A leg is a solution whose code is an engine: it runs in a worker of ours, is a
server that speaks the OpenAI protocol, or a command that measures itself and prints the result.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from roofmark.records import Record
from roofmark.units import Seconds

Limit = Annotated[float, Meta(gt=0)]
Number = float | int | bool | str


class Engine(Record, tag="engine"):
    """An engine in a worker process of ours; `Solution.entry` makes it.

    The entry takes `device` and the solution's params by name and returns an object with
    `prefill(ids) -> int` (run the prompt, return the first token) and `step() -> int` (the next
    one). A token counts as there when the host has it. roofmark.engines has one for Hugging Face.
    vocabulary: prompts are drawn from ids below this. environment: variables of the worker.
    formula: as of `Serving`, for a leg with kernels of its own.
    """

    vocabulary: Annotated[int, Meta(ge=2)]
    environment: dict[str, str] = {}
    ready_limit: Limit = 600.0
    formula: str = ""


class Server(Record, tag="server"):
    """A server that streams `POST <url>/v1/completions`.

    run: command that starts it, with {port}, {python} and {folder} (of its sources) filled in;
        nothing for one that runs already, which then is no fresh process (RM318).
    url: where it answers. ready: path that answers 200 when it can serve; ready_limit: seconds
        until then. stop_limit: seconds between SIGTERM and SIGKILL.
    model: the request's model. extra: further fields of every request, such as ignore_eos.
    prompts: token ids below `vocabulary`, or text of as many words; a text's tokens are counted by
        the server. exact: each request must give exactly the tokens asked for.
    first_limit: seconds to a first token; gap_limit: to the next one.
    """

    run: tuple[str, ...] = ()
    url: str = "http://127.0.0.1:{port}"
    model: str = "default"
    environment: dict[str, str] = {}
    ready: str = "/health"
    ready_limit: Limit = 300.0
    stop_limit: Limit = 20.0
    prompts: Literal["ids", "text"] = "ids"
    vocabulary: Annotated[int, Meta(ge=2)] = 1000
    extra: dict[str, Number] = {}
    exact: bool = True
    first_limit: Limit = 60.0
    gap_limit: Limit = 30.0


class LlamaBench(Record, tag="llama_bench"):
    """The command prints llama-bench's JSON (`-o json`), with one test for this load."""


class Pattern(Record, tag="pattern"):
    """The command prints lines that this regular expression finds, each one repetition.

    expression: with a group `value`. unit: what it is; there is no default, since milliseconds
    have passed for tokens per second before.
    """

    expression: str
    unit: Literal["tok/s", "s/token", "ms/token", "us/token"]


class Command(Record, tag="command"):
    """A command that measures itself; one visit is one process.

    run: {prompt}, {generate}, {concurrency}, {calls}, {python} and {folder} are filled in; nothing
        else in braces is. reads: how its output is understood.
    """

    run: tuple[str, ...]
    reads: LlamaBench | Pattern = LlamaBench()
    environment: dict[str, str] = {}


Leg = Engine | Server | Command


class Treatment(Record, tag="treatment"):
    """What must be visible in a leg for its name to be true; what is not makes it invalid.

    environment: variables, as the processes of the leg themselves hold them. process: part of the
        command line of those processes that must; by default all of the leg's tree.
    kernels, without: parts of kernel names that must, must not be in its kernel table.
    graph_replays: fewest replays of CUDA graphs per generated token; 0 with `without` to exclude.
    """

    environment: dict[str, str] = {}
    process: str = ""
    kernels: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    graph_replays: float | UnsetType = UNSET


class Smoke(Record, tag="smoke"):
    """A greedy prompt, and what the answer must contain.

    prompt: text for a server, token ids for an engine.
    """

    prompt: str | tuple[int, ...]
    expect: str | tuple[int, ...]
    tokens: Annotated[int, Meta(ge=1, le=512)] = 16


class Serving(Record, tag="serving"):
    """How legs are visited.

    together: all legs of a process set live side by side, or one after another.
    warm_up: requests of each load before its first timed visit in a process; in-process engines
        answer at most 16 tokens of each.
    watch: seconds between looks at memory, clocks, power and temperature.
    smoke: asked of every leg in every process set; a wrong answer is an incorrect leg.
    compare: tokens over which an engine's greedy output and logits are compared with the
        baseline's; 0 compares none. profile: tokens of the profiled pass for the kernel table.
    trained: the model writes text, so an output that is degenerate (RM601 to RM607) makes its leg
        invalid; without it nothing is expected, since random weights write nonsense.
    formula: launches per token, such as "32*rms + 64*gemm", for a per-token sum of the table.
    """

    together: bool = True
    warm_up: Annotated[int, Meta(ge=0, le=64)] = 1
    watch: Seconds = 1.0
    smoke: Smoke | UnsetType = UNSET
    compare: Annotated[int, Meta(ge=0, le=512)] = 8
    profile: Annotated[int, Meta(ge=0, le=512)] = 8
    formula: str = ""
    trained: bool = False
