"""The client: many streams at once, each piece of each answer with the time at which it came.

In: a server's address, prompts, a load's shape. Out: `Request`s in the order in which they were
intended. One asyncio protocol per request keeps bytes and times and does nothing else until the
visit is over; garbage collection waits too. A request has its own connection. In a closed loop it
is open before the request is due: to open 64 at once takes one client tens of milliseconds, which
would pass for the server's. In an open loop a request is due at its time whatever became of earlier
ones, and connecting is part of its latency.

benchmarks/serving/client.py measures what this client adds to the times that it reports.
"""

import asyncio
import gc
import random
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from roofmark.bench.serving.stream import Piece, read_answer
from roofmark.legs import Server
from roofmark.records import Missing
from roofmark.served import Answered, Fault, Request
from roofmark.serving import Load

# Chosen: a request's fields and the reason of a failure fit many times over; a server that sends
# without end is cut off, not believed.
_MOST_BYTES = 64 * 2**20
_TAIL = 16


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What one visit asks: a prompt for each request, and when each is due.

    due: seconds from the begin, one per prompt, for an open loop; empty for a closed one, in which
    stream k asks prompts k, k + streams, ...
    """

    prompts: Sequence[Sequence[int] | str]
    due: Sequence[float]
    streams: int


class _Exchange(asyncio.Protocol):
    """One request and the bytes of its answer."""

    def __init__(self, payload: bytes, leg: Server) -> None:
        self._payload = payload
        self._leg = leg
        self._size = 0
        self._tail = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.pieces: list[Piece] = []
        self.fault: Fault | None = None
        self._last = time.perf_counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        """Send the request; from now on the answer can be late."""
        assert self._transport is not None
        self._last = time.perf_counter()
        self._transport.write(self._payload)
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._last = time.perf_counter()
        self.pieces.append((self._last, data))
        self._size += len(data)
        self._tail = (self._tail + data)[-_TAIL:]
        if b"[DONE]" in self._tail or self._size > _MOST_BYTES:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def give_up(self, kind: str, reason: str) -> None:
        """End it with a fault, if it has not ended."""
        if not self.done.done():
            self.fault = msgspec.convert({"type": "fault", "kind": kind, "reason": reason}, Fault)
            self._finish()

    def _finish(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def _watch(self) -> None:
        """Look whether it is late; look again when it could be next."""
        first = not self.pieces
        limit = self._leg.first_limit if first else self._leg.gap_limit
        left = self._last + limit - time.perf_counter()
        if left <= 0:
            waited = "no first byte" if first else "nothing more"
            self.give_up("late", f"{waited} within {limit:g} s")
        elif not self.done.done():
            self._timer = asyncio.get_running_loop().call_later(left + 1e-3, self._watch)


class Client:
    """Asks one server. limit: seconds of a whole visit."""

    def __init__(self, leg: Server, url: str, *, limit: float) -> None:
        """Take where the server answers."""
        parts = urlsplit(url)
        self._leg, self._limit = leg, limit
        self._host, tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if tls else 80)
        self._tls = ssl.create_default_context() if tls else None
        self._path = f"{parts.path.rstrip('/')}/v1/completions"
        self._head = f"Host: {parts.netloc}\r\nConnection: close\r\n"

    def ask(self, questions: Questions, load: Load) -> tuple[Request, ...]:
        """Ask everything; return when all is answered or given up."""
        payloads = [self._payload(prompt, load.tokens) for prompt in questions.prompts]
        gc.collect()
        gc.disable()
        try:
            visit = _Visit(self, questions, payloads)
            asyncio.run(visit.run())
        finally:
            gc.enable()
        return tuple(
            self._request(visit, number, prompt, load)
            for number, prompt in enumerate(questions.prompts)
        )

    def complete(self, prompt: str, tokens: int) -> tuple[str, Fault | None]:
        """Return the text of one greedy answer, for a smoke test."""
        visit = _Visit(self, Questions(prompts=(prompt,), due=(), streams=1), [])
        visit.payloads = [self._payload(prompt, tokens)]
        asyncio.run(visit.run())
        answer = read_answer(visit.exchanges[0].pieces if 0 in visit.exchanges else ())
        return answer.text, visit.faults.get(0) or answer.fault

    async def connect(self, payload: bytes) -> _Exchange:
        """Open a connection for a request. Raises: OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(
            lambda: _Exchange(payload, self._leg), self._host, self._port, ssl=self._tls
        )
        _, exchange = await asyncio.wait_for(opening, self._leg.first_limit)
        return exchange

    @property
    def limit(self) -> float:
        """Seconds that a visit may take."""
        return self._limit

    def _payload(self, prompt: Sequence[int] | str, tokens: int) -> bytes:
        fields = {
            "model": self._leg.model,
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        body = msgspec.json.encode(fields | self._leg.extra)
        head = f"POST {self._path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def _request(
        self, visit: "_Visit", number: int, prompt: Sequence[int] | str, load: Load
    ) -> Request:
        exchange = visit.exchanges.get(number)
        answer = read_answer(exchange.pieces if exchange else ())
        fault = visit.faults.get(number) or (exchange.fault if exchange else None) or answer.fault
        arrivals = tuple(round(at - visit.begin, 9) for at in answer.arrivals)
        fault = fault or self._miscounted(prompt, load, answer.prompt_tokens, answer.tokens)
        if fault is None and (reason := _odd(len(arrivals), answer.tokens)):
            fault = Fault(kind="count", reason=reason)
        sent = visit.sent.get(number, 0.0)
        return Request(
            intended=round(visit.intended.get(number, sent), 9),
            sent=round(sent, 9),
            arrivals=arrivals,
            prompt_tokens=answer.prompt_tokens,
            tokens=answer.tokens,
            output=answer.text,
            ending=fault or Answered(),
        )

    def _miscounted(
        self, prompt: Sequence[int] | str, load: Load, given: int | Missing, tokens: int | Missing
    ) -> Fault | None:
        # Chosen: a server may put one token of its own (the begin of a text) before ours.
        if (
            not isinstance(prompt, str)
            and isinstance(given, int)
            and given - len(prompt) not in (0, 1)
        ):
            reason = f"{given} prompt tokens counted, {len(prompt)} sent"
            return Fault(kind="count", reason=reason)
        if self._leg.exact and isinstance(tokens, int) and tokens != load.tokens:
            reason = f"{tokens} tokens counted, {load.tokens} asked for"
            return Fault(kind="count", reason=reason)
        return None


class _Visit:
    """One visit while it runs: who was sent when, and what came."""

    def __init__(self, client: Client, questions: Questions, payloads: list[bytes]) -> None:
        self._client, self._questions, self.payloads = client, questions, payloads
        self.begin = 0.0
        self.intended: dict[int, float] = {}
        self.sent: dict[int, float] = {}
        self.exchanges: dict[int, _Exchange] = {}
        self.faults: dict[int, Fault] = {}

    async def run(self) -> None:
        if not self._questions.due:
            streams = range(min(self._questions.streams, len(self.payloads)))
            await asyncio.gather(*(self._open(number) for number in streams))
        self.begin = time.perf_counter()
        due, count = self._questions.due, len(self.payloads)
        if due:
            tasks = [asyncio.create_task(self._later(k, due[k])) for k in range(count)]
        else:
            streams = self._questions.streams
            tasks = [
                asyncio.create_task(self._stream(range(k, count, streams))) for k in range(streams)
            ]
        _, late = await asyncio.wait(tasks, timeout=self._client.limit)
        for exchange in self.exchanges.values():
            exchange.give_up("late", f"the visit took more than {self._client.limit:g} s")
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        reason = f"not sent: the visit took more than {self._client.limit:g} s"
        for number in set(range(count)) - self.exchanges.keys() - self.faults.keys():
            self.faults[number] = Fault(kind="late", reason=reason)

    async def _stream(self, numbers: range) -> None:
        """Send one after the other; a stream whose request failed sends no more."""
        for place, number in enumerate(numbers, 1):
            await self._open(number)
            self.intended[number] = time.perf_counter() - self.begin
            if not await self._one(number):
                unsent = Fault(kind="refused", reason="not sent: its stream's last request failed")
                self.faults |= dict.fromkeys(numbers[place:], unsent)
                break

    async def _later(self, number: int, due: float) -> None:
        self.intended[number] = due
        await asyncio.sleep(max(0.0, due - (time.perf_counter() - self.begin)))
        await self._open(number)
        await self._one(number)

    async def _open(self, number: int) -> None:
        """Connect, if that was not done or tried."""
        if number in self.exchanges or number in self.faults:
            return
        try:
            self.exchanges[number] = await self._client.connect(self.payloads[number])
        except (OSError, TimeoutError) as error:
            reason = f"no connection: {error or type(error).__name__}"
            self.faults[number] = Fault(kind="refused", reason=reason)

    async def _one(self, number: int) -> bool:
        """Send a request and wait for its end; return whether its stream may go on."""
        self.sent[number] = time.perf_counter() - self.begin
        if number in self.faults:
            return False
        exchange = self.exchanges[number]
        exchange.send()
        await exchange.done
        return exchange.fault is None


def plan_due(load: Load, count: int, seed: str) -> tuple[float, ...]:
    """Return when each request of an open loop is due: exponential gaps, seconds."""
    if not load.rate:
        return ()
    chance, at, due = random.Random(seed), 0.0, list[float]()
    for _ in range(count):
        at += chance.expovariate(load.rate / 60)
        due.append(round(at, 6))
    return tuple(due)


def _odd(chunks: int, tokens: int | Missing) -> str:
    """Return what is wrong with so many chunks for so many tokens, or nothing."""
    if not chunks:
        return "the answer held no token"
    if isinstance(tokens, int) and chunks > tokens:
        return f"{chunks} chunks brought tokens, {tokens} tokens were counted"
    return ""
