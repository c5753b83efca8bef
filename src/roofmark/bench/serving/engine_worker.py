"""The worker of an in-process leg: the one process in which its engine's code runs.

In: `StartEngine`, then prompts. Out: when each token was there. The clock is read once per token,
after the engine has returned it as a Python integer; at the end of an answer the device is
synchronised first, so that no work of it lies outside.
"""

import gc
import os
import time
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.build import BuildError, build_python
from roofmark.bench.load import load_function
from roofmark.bench.messages import Reply, Request
from roofmark.bench.serve import Answer
from roofmark.bench.serving.messages import (
    AskEngine,
    AskText,
    EngineAnswered,
    EngineLogits,
    EngineProfiled,
    EngineStarted,
    EngineTimes,
    EngineWrote,
    ForceEngine,
    ProfileEngine,
    StartEngine,
)
from roofmark.bench.serving.profiler import profile_decode
from roofmark.records import Missing

# Chosen: a quarter of the largest message; logits of more tokens than fit are not compared.
_MOST_LOGITS = 4 * 2**20


class EngineWorker:
    """One engine."""

    def __init__(self) -> None:
        """Start empty; `StartEngine` fills it."""
        self._engine: Any = None
        self._cuda = False

    def answer(self, request: Request) -> Reply:
        """Return the reply to one request."""
        match request:
            case StartEngine():
                return self._start(request)
            case AskEngine():
                return self._ask(request)
            case AskText():
                return self._write(request)
            case ForceEngine():
                return self._force(request)
            case ProfileEngine():
                return self._profile(request)
            case _:
                raise TypeError(f"an engine does not take {type(request).__name__}")

    def _start(self, request: StartEngine) -> EngineStarted:
        os.sched_setaffinity(0, request.cores)
        torch.set_num_threads(len(request.cores))
        self._cuda = request.device == "cuda"
        folder = Path(request.folder)
        make = load_function(folder, request.solution.entry)
        self._engine = make(device=request.device, **request.solution.params)
        lacking = [n for n in ("prefill", "step") if not callable(getattr(self._engine, n, None))]
        if lacking:
            entry, given = request.solution.entry, type(self._engine).__name__
            raise BuildError(f"{entry} returned a {given} without {' and '.join(lacking)}()")
        self._settle()
        return EngineStarted(build=build_python(request.solution, folder))

    def _ask(self, request: AskEngine) -> EngineAnswered:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        answers: list[EngineTimes] = []
        gc.collect()
        gc.disable()
        try:
            begun = time.perf_counter()
            for prompt in request.prompts:
                answers.append(self._one(list(prompt), request.tokens, begun))
        finally:
            gc.enable()
        return EngineAnswered(answers=tuple(answers), device=self._peak())

    def _one(self, prompt: list[int], count: int, begun: float) -> EngineTimes:
        engine, now = self._engine, time.perf_counter
        self._reset()
        sent = now() - begun
        found = [engine.prefill(prompt)]
        arrivals = [now()]
        for _ in range(count - 1):
            found.append(engine.step())
            arrivals.append(now())
        self._settle()
        arrivals[-1] = now()
        times = tuple(round(at - begun, 9) for at in arrivals)
        tokens = tuple(int(token) for token in found)
        return EngineTimes(sent=round(sent, 9), arrivals=times, tokens=tokens)

    def _write(self, request: AskText) -> EngineWrote:
        """Decode to the model's own end, the most tokens or the most time, whichever comes first.

        A step that hangs is no matter of this clock: whoever asked kills the worker.
        """
        words = self._tokenizer()
        ends = frozenset(getattr(self._engine, "ends", ()))
        self._reset()
        begun = time.perf_counter()
        found = [self._engine.prefill([int(token) for token in words.encode(request.prompt)])]
        late = False
        while found[-1] not in ends and len(found) < request.tokens and not late:
            found.append(self._engine.step())
            late = time.perf_counter() - begun > request.limit
        seconds = round(time.perf_counter() - begun, 6)
        ending = "stop" if found[-1] in ends else "late" if late else "length"
        answer = found[:-1] if ending == "stop" else found
        return EngineWrote(text=str(words.decode(answer)), seconds=seconds, ending=ending)

    def _tokenizer(self) -> Any:
        words = getattr(self._engine, "tokenizer", None)
        if words is None:
            raise BuildError(
                "the engine has no `tokenizer` with encode(text) and decode(ids), so it reads and "
                "writes no words; HuggingFace has one when it is made from a checkpoint"
            )
        return words

    def _force(self, request: ForceEngine) -> EngineLogits:
        self._reset()
        tokens = [self._engine.prefill(list(request.prompt))]
        rows = [self._logits()]
        most = max(1, _MOST_LOGITS // (4 * rows[0].numel()))
        for at in range(min(request.tokens, most) - 1):
            if request.forced:
                self._engine.force(request.forced[at])
            tokens.append(self._engine.step())
            rows.append(self._logits())
        data = torch.stack(rows).contiguous().numpy().tobytes()
        return EngineLogits(tokens=tuple(map(int, tokens)), width=rows[0].numel(), data=data)

    def _profile(self, request: ProfileEngine) -> EngineProfiled:
        self._reset()
        self._engine.prefill(list(request.prompt))
        # Once without the profiler: what a first step compiles or captures is no step.
        self._engine.step()
        profile = profile_decode(self._engine.step, tokens=request.tokens, cuda=self._cuda)
        return EngineProfiled(profile=profile)

    def _logits(self) -> torch.Tensor:
        logits = getattr(self._engine, "logits", None)
        if logits is None:
            raise BuildError("the engine has no `logits`; set Serving(compare=0) to compare none")
        return torch.as_tensor(logits).detach().float().cpu().reshape(-1)

    def _reset(self) -> None:
        """Let the engine forget the last prompt, outside of any time."""
        reset = getattr(self._engine, "reset", None)
        if reset is not None:
            reset()
        self._settle()

    def _settle(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()

    def _peak(self) -> int | Missing:
        if not self._cuda:
            return Missing(reason="the engine runs on a CPU")
        return int(torch.cuda.max_memory_allocated())


def start() -> Answer:
    """Return a worker that has loaded nothing yet."""
    return EngineWorker().answer
