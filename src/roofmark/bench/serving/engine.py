"""An in-process leg: an engine in a worker of ours, asked over the bench's own channel.

In: a solution with an entry, its folder, the device. Out: a `Handle`. The worker is a child like
those of kernels: it is bounded in memory, cannot outlive the run, and is killed when it is late.
"""

import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, cast

from roofmark.bench.ledger import failed_outcome
from roofmark.bench.process import Child, ChildFailed, ReplyFailed
from roofmark.bench.serving.client import Questions
from roofmark.bench.serving.handle import (
    LegFailed,
    Logits,
    Observed,
    Seen,
    forget_peak,
    observe,
    read_memory,
    tree_of,
)
from roofmark.bench.serving.messages import (
    AskEngine,
    AskText,
    EngineAnswered,
    EngineLogits,
    EngineProfiled,
    EngineReply,
    EngineRequest,
    EngineStarted,
    EngineTimes,
    EngineWrote,
    ForceEngine,
    ProfileEngine,
    StartEngine,
)
from roofmark.bench.serving.server import tokens_behind, uncounted
from roofmark.evidence import Build, BuildFailed, Crashed, Incorrect, TimedOut
from roofmark.legs import Engine, Smoke
from roofmark.records import Missing
from roofmark.served import Answered, LegProfile, Request, SmokeAnswer, samples_of
from roofmark.serving import Load
from roofmark.study import Device, Protocol, Solution

_MODULE = "roofmark.bench.serving.engine_worker"
R = TypeVar("R", bound=EngineReply)


class EngineHandle:
    """One engine in one process set."""

    fresh = True

    def __init__(
        self, solution: Solution, folder: Path, device: Device, protocol: Protocol
    ) -> None:
        """Take what to load; nothing is started yet."""
        self._solution, self._folder = solution, folder
        self._device: Device = device
        self._protocol = protocol
        self._leg = cast(Engine, solution.leg)
        self._child: Child | None = None
        self._said = ""
        self._ended = "never started"

    @property
    def alive(self) -> bool:
        """Whether its worker can be asked."""
        return self._child is not None

    def launch(self) -> None:
        """Start the worker, which imports what it needs and makes the engine."""
        self._child = Child(
            _MODULE,
            folder=self._folder,
            memory=self._protocol.memory_limit,
            descriptors=(),
            environment=self._leg.environment,
        )
        request = StartEngine(
            solution=self._solution,
            folder=str(self._folder),
            device=self._device,
            cores=tuple(sorted(os.sched_getaffinity(0))),
        )
        self._send(request, "start")

    def start(self) -> Build:
        """Wait until the engine is made."""
        if self._child is None:
            self.launch()
        return self._receive(EngineStarted, "start", self._leg.ready_limit).build

    def visit(self, load: Load, questions: Questions) -> Seen:
        """Have every prompt answered, one after the other."""
        if load.concurrency > 1 or load.rate:
            reason = "an in-process engine answers one request at a time"
            raise LegFailed(Crashed(stage="visit", reason=reason, log=""))
        pids = self.pids()
        forget_peak(pids)
        prompts = cast("list[tuple[int, ...]]", list(questions.prompts))
        request = AskEngine(prompts=tuple(prompts), tokens=load.tokens)
        answered = self._ask(request, EngineAnswered, "visit", self._protocol.call_limit)
        if [len(each.tokens) for each in answered.answers] != [load.tokens] * len(prompts):
            reason = f"{len(answered.answers)} answers to {len(prompts)} prompts, or other lengths"
            raise LegFailed(Incorrect(build="", checks=(), reason=reason))
        requests = tuple(
            _request(each, prompt) for each, prompt in zip(answered.answers, prompts, strict=True)
        )
        samples = samples_of(requests, load)
        host = read_memory(pids, "VmHWM")
        samples["memory"] = (float(answered.device if isinstance(answered.device, int) else host),)
        return Seen(
            samples=samples,
            clock="worker, perf_counter",
            requests=requests,
            calls=tokens_behind(requests, load),
            absent=uncounted(requests, samples),
        )

    def ask(self, smoke: Smoke) -> SmokeAnswer | Missing:
        """Return its greedy answer, in token ids."""
        if isinstance(smoke.prompt, str) or isinstance(smoke.expect, str):
            return Missing(reason="an in-process engine takes token ids, and this prompt is text")
        request = AskEngine(prompts=(smoke.prompt,), tokens=smoke.tokens)
        answered = self._ask(request, EngineAnswered, "smoke", self._protocol.call_limit)
        answer = answered.answers[0].tokens
        return SmokeAnswer(answer=answer, passed=_contains(answer, smoke.expect))

    def write(self, prompt: str, *, tokens: int, limit: float) -> EngineWrote:
        """Return the answer to a question in words; the engine needs a tokenizer.

        limit: seconds; a worker that says nothing for `call_limit` longer is ended.
        """
        request = AskText(prompt=prompt, tokens=tokens, limit=limit)
        return self._ask(request, EngineWrote, "question", limit + self._protocol.call_limit)

    def profile(self, load: Load, questions: Questions, tokens: int) -> LegProfile | Missing:
        """Decode under the profiler."""
        prompt = cast("tuple[int, ...]", questions.prompts[0])
        request = ProfileEngine(prompt=prompt, tokens=min(tokens, max(1, load.tokens - 2)))
        return self._ask(request, EngineProfiled, "profile", self._protocol.call_limit).profile

    def logits(
        self, prompt: tuple[int, ...], forced: tuple[int, ...], tokens: int
    ) -> Logits | Missing:
        """Return greedy or forced tokens with their logits."""
        request = ForceEngine(prompt=prompt, forced=forced, tokens=tokens)
        found = self._ask(request, EngineLogits, "logits", self._protocol.call_limit)
        return Logits(tokens=found.tokens, data=found.data, width=found.width)

    def pids(self) -> tuple[int, ...]:
        """Return the worker and its children."""
        return tree_of(self._child.pid) if self._child and self._child.pid else ()

    def observed(self, names: Iterable[str]) -> Observed:
        """Look at the worker alone; what it starts is not where the engine runs."""
        return observe(self.pids()[:1], names)

    def log(self) -> str:
        """Return the end of what it printed."""
        return self._child.log() if self._child else self._said

    def stop(self) -> str:
        """End the worker."""
        child, self._child = self._child, None
        if child is None:
            return self._ended
        self._said = child.log()
        child.close()
        return "stopped"

    def _ask(self, request: EngineRequest, kind: type[R], stage: str, limit: float) -> R:
        self._send(request, stage)
        return self._receive(kind, stage, limit)

    def _send(self, request: EngineRequest, stage: str) -> None:
        assert self._child is not None
        try:
            self._child.send(request, stage=stage)
        except ChildFailed as failure:
            raise self._lost(failure, stage) from failure

    def _receive(self, kind: type[R], stage: str, limit: float) -> R:
        assert self._child is not None
        try:
            reply = self._child.receive(stage=stage, limit=limit)
        except (ChildFailed, ReplyFailed) as failure:
            raise self._lost(failure, stage) from failure
        if not isinstance(reply, kind):
            self._drop(f"{stage}: answered out of turn")
            reason = f"answered {type(reply).__name__} out of turn"
            raise LegFailed(Crashed(stage=stage, reason=reason, log=""))
        return reply

    def _lost(self, failure: ChildFailed | ReplyFailed, stage: str) -> LegFailed:
        """An engine that raised may hold a broken device context: it is not used again."""
        self._drop(f"{stage}: {failure}")
        return LegFailed(_failed(failed_outcome(failure, "")))

    def _drop(self, why: str) -> None:
        self._ended = f"died: {why}"
        child, self._child = self._child, None
        if child is not None:
            self._said = child.log()
            child.close()


def _failed(outcome: object) -> Crashed | TimedOut | Incorrect:
    """An engine that cannot be made has crashed at its start: legs have no build of their own."""
    if isinstance(outcome, BuildFailed):
        return Crashed(stage="start", reason=outcome.reason, log=outcome.log)
    assert isinstance(outcome, Crashed | TimedOut | Incorrect)
    return outcome


def _request(answer: EngineTimes, prompt: tuple[int, ...]) -> Request:
    times = (answer.sent, *answer.arrivals)
    if any(a > b for a, b in pairwise(times)):
        raise LegFailed(Incorrect(build="", checks=(), reason="its times run backwards"))
    return Request(
        intended=answer.sent,
        sent=answer.sent,
        arrivals=answer.arrivals,
        prompt_tokens=len(prompt),
        tokens=len(answer.tokens),
        output=answer.tokens,
        ending=Answered(),
    )


def _contains(answer: tuple[int, ...], expect: tuple[int, ...]) -> bool:
    """Whether the expected ids stand in the answer, one after the other."""
    size = len(expect)
    return any(answer[at : at + size] == expect for at in range(len(answer) - size + 1))
