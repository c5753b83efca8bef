"""Served: what a client saw of an engine, request by request, and what was seen of a leg beside it.

In: nothing. Out: records in a bundle's `serving/`. Times are seconds; nothing is averaged. Samples
of a `Measurement` follow from these records by `samples_of`, which the bench uses to write them and
a rule to check them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from roofmark.records import Missing, Record
from roofmark.serving import Load
from roofmark.study import Tier
from roofmark.units import Bytes, Celsius, Hertz, Seconds, Watts

FaultKind = Literal["refused", "http", "cut", "late", "count", "malformed"]


class Answered(Record, tag="answered"):
    """The stream ended as it must, with as many tokens as were asked for."""


class Fault(Record, tag="fault"):
    """How a request failed. reason: with the value, such as "HTTP 500: out of blocks"."""

    kind: FaultKind
    reason: str


class Request(Record):
    """One request. Times: seconds since the visit began.

    intended: when it should have been sent; sent: when it was. arrivals: of each chunk that brought
        text or tokens, in order. prompt_tokens, tokens: as the engine counts them (`usage`, or the
        ids themselves), never the chunks: a chunk may hold several tokens, or none.
    output: what was generated: text of a server, token ids of an engine of ours.
    """

    intended: Seconds
    sent: Seconds
    arrivals: tuple[Seconds, ...]
    prompt_tokens: int | Missing
    tokens: int | Missing
    output: str | tuple[int, ...]
    ending: Answered | Fault


class ServedVisit(Record):
    """All requests of one visit, in the order in which they were intended."""

    block: int
    requests: tuple[Request, ...]


class Served(Record):
    """Everything that one leg was asked under one load in one process set.

    schedule: seed of an open loop's intended times, "" for a closed loop.
    """

    workload: str
    solution: str
    process: int
    schedule: str
    visits: tuple[ServedVisit, ...]


def samples_of(requests: Sequence[Request], load: Load) -> dict[Tier, tuple[Seconds, ...]]:
    """Return the samples of a visit whose requests were all answered, by tier.

    token: prefill: (first arrival - sent) / prompt tokens; decode: (last - first) / (tokens - 1).
    output: last arrival of all - first send of all, per token that came out. ttft, request: from
    the intended start. itl: gaps between chunks. What cannot be had of these requests is left out:
    a load of one token has no gap, an engine that counts no tokens no time per token.
    """
    found: dict[Tier, list[float]] = {
        "token": [each for one in requests for each in _token(one, load)],
        "output": _output(requests) if load.generate else [],
        "ttft": [one.arrivals[0] - one.intended for one in requests],
        "itl": [b - a for one in requests for a, b in pairwise(one.arrivals)],
        "request": [one.arrivals[-1] - one.intended for one in requests],
    }
    return {tier: tuple(round(s, 12) for s in times) for tier, times in found.items() if times}


def _token(one: Request, load: Load) -> list[float]:
    if not load.generate:
        count, span = one.prompt_tokens, one.arrivals[0] - one.sent
    else:
        count, span = one.tokens, one.arrivals[-1] - one.arrivals[0]
        count = count if isinstance(count, Missing) else count - 1
    return [span / count] if isinstance(count, int) and count > 0 else []


def _output(requests: Sequence[Request]) -> list[float]:
    counts = [one.tokens for one in requests if isinstance(one.tokens, int)]
    if len(counts) < len(requests) or not sum(counts):
        return []
    span = max(one.arrivals[-1] for one in requests) - min(one.sent for one in requests)
    return [span / sum(counts)]


# --- beside the run ------------------------------------------------------------------------------
class Look(Record):
    """The machine at one moment. at: seconds since the run began.

    host: bytes that the leg's processes hold; available: bytes that the host has left. device:
    bytes in use on the GPU; device_free: left there. load: the host's load average.
    """

    at: Seconds
    host: Bytes
    available: Bytes | Missing
    load: float | Missing
    device: Bytes | Missing
    device_free: Bytes | Missing
    sm_clock: Hertz | Missing
    memory_clock: Hertz | Missing
    power: Watts | Missing
    temperature: Celsius | Missing


class SmokeAnswer(Record, tag="smoke_answer"):
    """What a leg answered to the smoke prompt."""

    answer: str | tuple[int, ...]
    passed: bool


class Likeness(Record, tag="likeness"):
    """Greedy output and logits of an engine against the baseline's, on the same prompt.

    peak, rms: of the difference of logits over all compared positions, the baseline's tokens fed to
        both; scale: root mean square of the baseline's logits. diverges: index of the first token
        that differs when each runs freely, or -1 where none of `tokens` does.
    """

    peak: float
    rms: float
    scale: float
    tokens: int
    diverges: int


class Stay(Record):
    """One leg in one process set, from start to end.

    started: seconds since the run began; ready: seconds from start to the first healthy answer.
    environment: variable -> value as each process of the leg holds it, declared ones alone.
    processes: command lines of those processes. ending: "stopped", or how it died.
    """

    solution: str
    process: int
    started: Seconds
    ready: Seconds | Missing
    fresh: bool
    environment: dict[str, tuple[str | Missing, ...]]
    processes: tuple[str, ...]
    smoke: SmokeAnswer | Missing
    likeness: Likeness | Missing
    looks: tuple[Look, ...]
    ending: str


# --- the profiled pass ---------------------------------------------------------------------------
SpanKind = Literal["kernel", "copy", "op"]


class Spans(Record):
    """All calls of one kernel, copy or (on a CPU) operator, in order; seconds since the begin."""

    name: str
    kind: SpanKind
    starts: tuple[Seconds, ...]
    durations: tuple[Seconds, ...]


class LegProfile(Record, tag="leg_profile"):
    """One decode pass of one leg under a profiler: no timing evidence.

    tokens: generated in the pass. wall: seconds of it. launches: calls of the runtime that start a
    kernel; graph_launches: that replay a graph. tool: what looked.
    """

    tokens: int
    wall: Seconds
    spans: tuple[Spans, ...]
    launches: int | Missing
    graph_launches: int | Missing
    tool: str


class LegProfiled(Record):
    """The profiled pass of a leg on a load, or why there is none."""

    workload: str
    solution: str
    outcome: LegProfile | Missing
