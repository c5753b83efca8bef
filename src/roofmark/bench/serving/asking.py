"""One leg and a set of questions: what it wrote, or why there is no answer.

In: a solution whose sources lie in a folder, prompts. Out: a row per prompt: `output`, `seconds`,
and `finish_reason` or `error`. A server is asked over several streams; an engine of ours answers
one question after the other, and is made again when it died of one.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from roofmark.bench.serving.client import Client, Questions
from roofmark.bench.serving.engine import EngineHandle
from roofmark.bench.serving.handle import LegFailed
from roofmark.bench.serving.messages import EngineWrote
from roofmark.bench.serving.server import ServerHandle
from roofmark.evidence import TimedOut
from roofmark.legs import Server
from roofmark.options import AskOptions
from roofmark.served import Fault, Request
from roofmark.serving import Load
from roofmark.study import Device, Protocol, Solution

Row = dict[str, object]
_LATE = "timed out: "
# Chosen: an engine that died of three questions in a row dies of questions.
_MOST_DEATHS = 3


def ask_server(
    solution: Solution,
    folder: Path,
    protocol: Protocol,
    prompts: Sequence[str],
    options: AskOptions,
) -> list[Row]:
    """Start a server, ask, stop it. Raises: LegFailed when it does not start."""
    load = Load(prompt=1, generate=options.tokens, concurrency=options.streams)
    handle = ServerHandle(solution, folder, protocol)
    try:
        handle.start()
        client = Client(cast(Server, solution.leg), handle.url, limit=options.limit)
        found = client.ask(Questions(prompts=prompts, due=(), streams=options.streams), load)
    finally:
        handle.stop()
    return [_told(request, options.tokens) for request in found]


def ask_engine(
    solution: Solution,
    folder: Path,
    protocol: Protocol,
    prompts: Sequence[str],
    options: AskOptions,
) -> list[Row]:
    """Make an engine, ask, end it. Raises: LegFailed when it cannot be made or has no words.

    options: with a device, not "auto".
    """
    handle = EngineHandle(solution, folder, cast(Device, options.device), protocol)
    end, deaths, rows = time.monotonic() + options.limit, 0, list[Row]()
    try:
        handle.start()
        for prompt in prompts:
            left = end - time.monotonic()
            if left <= 0:
                rows.append(_unasked(f"{_LATE}not asked: {options.limit:g} s were over"))
            elif deaths == _MOST_DEATHS:
                rows.append(_unasked(f"not asked: the engine died {deaths} times in a row"))
            else:
                rows.append(_ask(handle, prompt, options.tokens, min(left, protocol.call_limit)))
                deaths = 0 if handle.alive else deaths + 1
    finally:
        handle.stop()
    return rows


def _ask(handle: EngineHandle, prompt: str, tokens: int, limit: float) -> Row:
    """Ask one question; an engine that died before is made again."""
    if not handle.alive:
        handle.start()
    try:
        return _written(handle.write(prompt, tokens=tokens, limit=limit), limit)
    except LegFailed as failure:
        if getattr(failure.outcome, "stage", "") == "start":
            raise
        if isinstance(failure.outcome, TimedOut):
            return _unasked(f"{_LATE}nothing within {failure.outcome.limit:g} s")
        return _unasked(f"died: {failure}")


def _written(answer: EngineWrote, limit: float) -> Row:
    row: Row = {"output": answer.text, "seconds": answer.seconds}
    if answer.ending == "late":
        return row | {"error": f"{_LATE}no end within {limit:g} s"}
    return row | {"finish_reason": answer.ending}


def _unasked(error: str) -> Row:
    return {"output": "", "error": error}


def _told(request: Request, tokens: int) -> Row:
    row: Row = {"output": str(request.output)}
    if request.arrivals:
        row["seconds"] = round(request.arrivals[-1] - request.sent, 6)
    if isinstance(request.ending, Fault):
        late = _LATE if request.ending.kind == "late" else f"{request.ending.kind}: "
        row["error"] = late + request.ending.reason
    elif isinstance(request.tokens, int):
        row["finish_reason"] = "length" if request.tokens >= tokens else "stop"
    return row
