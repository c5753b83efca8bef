"""The words between the orchestrator and the worker of an in-process leg.

In and out: tagged records, part of the unions in bench/messages.py.
"""

from typing import Literal

from roofmark.evidence import Build
from roofmark.records import Missing, Record
from roofmark.served import LegProfile
from roofmark.study import Device, Solution
from roofmark.units import Bytes, Seconds


class StartEngine(Record, tag="start_engine"):
    """Make the engine; its sources are in `folder`."""

    solution: Solution
    folder: str
    device: Device
    cores: tuple[int, ...]


class AskEngine(Record, tag="ask_engine"):
    """Answer these prompts one after the other, with so many tokens each."""

    prompts: tuple[tuple[int, ...], ...]
    tokens: int


class ForceEngine(Record, tag="force_engine"):
    """Answer a prompt and show the logits; with `forced`, feed these tokens instead of its own."""

    prompt: tuple[int, ...]
    forced: tuple[int, ...]
    tokens: int


class ProfileEngine(Record, tag="profile_engine"):
    """Answer a prompt, then decode so many tokens under a profiler."""

    prompt: tuple[int, ...]
    tokens: int


class AskText(Record, tag="ask_text"):
    """Answer a question in words, greedily: at most so many tokens, and so many seconds."""

    prompt: str
    tokens: int
    limit: Seconds


class EngineStarted(Record, tag="engine_started"):
    """The engine is there."""

    build: Build


class EngineTimes(Record, array_like=True):
    """One answer: when it began and when each token was there (seconds), and the tokens."""

    sent: Seconds
    arrivals: tuple[Seconds, ...]
    tokens: tuple[int, ...]


class EngineAnswered(Record, tag="engine_answered"):
    """All answers; device: peak bytes that the engine held on the GPU meanwhile."""

    answers: tuple[EngineTimes, ...]
    device: Bytes | Missing


class EngineLogits(Record, tag="engine_logits"):
    """Tokens, and the logits before each: [len(tokens), width] float32."""

    tokens: tuple[int, ...]
    width: int
    data: bytes


class EngineWrote(Record, tag="engine_wrote"):
    """An answer in words, and why it ends: the model ended it, its length, or its time."""

    text: str
    seconds: Seconds
    ending: Literal["stop", "length", "late"]


class EngineProfiled(Record, tag="engine_profiled"):
    """What a profiler saw."""

    profile: LegProfile


EngineRequest = StartEngine | AskEngine | AskText | ForceEngine | ProfileEngine
EngineReply = EngineStarted | EngineAnswered | EngineWrote | EngineLogits | EngineProfiled
