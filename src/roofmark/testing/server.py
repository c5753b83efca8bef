"""A server that speaks the OpenAI protocol with known timing and planted faults; no model in it.

    python -m roofmark.testing.server --port 8000 --first 0.02 --gap 0.005 --fault cut --after 3

In: the command line. Out: `POST /v1/completions` as server-sent events, `GET /health`, and
`GET /times`: for each finished answer the moments (monotonic clock, seconds) at which its tokens
were handed to the kernel, so that a client on the same machine can be held to them. Every token
is due at its own time after the request; one that is late delays no other.

first, gap: seconds to the first token, between tokens. slow: seconds before /health answers 200.
burst: tokens in a chunk. fault: what goes wrong from request number `after` on: http (status 500),
cut (the stream ends in the middle), mute (nothing is ever sent), stall (half of it is), count (one
token more is counted than sent), short (it stops early), garbage (an event that is no JSON).
"""

import argparse
import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field

FAULTS = ("", "http", "cut", "mute", "stall", "count", "short", "garbage")
_FOR_EVER = 3600.0


@dataclass
class Engine:
    """What the server pretends to be, and what it did."""

    first: float
    gap: float
    burst: int
    slow: float
    fault: str
    after: int
    born: float = field(default_factory=time.monotonic)
    asked: int = 0
    times: list[list[float]] = field(default_factory=list[list[float]])


async def answer(
    engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one connection, one request."""
    with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        begun = time.monotonic()
        named = dict(line.lower().split(": ", 1) for line in head.splitlines() if ": " in line)
        length = int(named.get("content-length", "0"))
        body = await reader.readexactly(length)
        path = head.split(" ")[1]
        if path == "/v1/completions":
            await _complete(engine, json.loads(body), begun, writer)
        elif path == "/times":
            _whole(writer, "200 OK", json.dumps(engine.times))
        else:
            well = path == "/health" and begun - engine.born >= engine.slow
            _whole(writer, "200 OK" if well else "503 Service Unavailable", "{}")
        await writer.drain()
    writer.close()


async def _complete(
    engine: Engine, asked: dict[str, object], begun: float, writer: asyncio.StreamWriter
) -> None:
    fault = engine.fault if engine.asked >= engine.after else ""
    engine.asked += 1
    if fault == "http":
        _whole(writer, "500 Internal Server Error", '{"error": "out of blocks"}')
        return
    if fault == "mute":
        await asyncio.sleep(_FOR_EVER)
    prompt, most = asked["prompt"], int(str(asked["max_tokens"]))
    counted = len(prompt.split()) if isinstance(prompt, str) else len(list(prompt))  # pyright: ignore
    sent = await _tokens(engine, most, begun, writer, fault=fault)
    if fault in ("cut", "garbage"):
        return
    usage = {"prompt_tokens": counted, "completion_tokens": sent + (fault == "count")}
    _event(writer, json.dumps({"choices": [], "usage": usage}))
    _event(writer, "[DONE]")
    writer.write(b"0\r\n\r\n")


async def _tokens(
    engine: Engine, most: int, begun: float, writer: asyncio.StreamWriter, *, fault: str
) -> int:
    """Stream the tokens, each chunk at its time; return how many there were."""
    half = max(1, most // 2)
    count = half if fault in ("cut", "short", "stall", "garbage") else most
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    times: list[float] = []
    for token in range(0, count, engine.burst):
        due = begun + engine.first + token * engine.gap
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        text = " word" * min(engine.burst, count - token)
        data = json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": None}]})
        times.append(time.monotonic())
        _event(writer, data)
    if fault == "garbage":
        _event(writer, "{not json")
    if fault == "stall":
        await asyncio.sleep(_FOR_EVER)
    engine.times.append(times)
    return count


def _event(writer: asyncio.StreamWriter, data: str) -> None:
    line = f"data: {data}\n\n".encode()
    writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")


def _whole(writer: asyncio.StreamWriter, status: str, body: str) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())


async def serve(engine: Engine, port: int) -> None:
    """Serve until the process ends."""
    server = await asyncio.start_server(
        lambda reader, writer: answer(engine, reader, writer), "127.0.0.1", port, backlog=1024
    )
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve what the command line asks for."""
    parser = argparse.ArgumentParser(description="an engine with known timing")
    parser.add_argument("--port", type=int, required=True)
    for name, default in (("first", 0.005), ("gap", 0.002), ("slow", 0.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    for name, default in (("burst", 1), ("after", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--fault", choices=FAULTS, default="")
    options = vars(parser.parse_args())
    port = options.pop("port")
    asyncio.run(serve(Engine(**options), port))


if __name__ == "__main__":
    main()
