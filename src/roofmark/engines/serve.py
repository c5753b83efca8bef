"""An engine behind the OpenAI protocol: the smallest real server, one request at a time.

    python -m roofmark.engines.serve engines.py::cached --port 8000 --device cpu

In: the function that makes an engine (it takes `device`, as for an in-process leg). Out: `POST
/v1/completions` with token ids as prompt, streamed as server-sent events, one token a chunk; `GET
/health` once the engine is there. It exists to measure what a server adds to an engine, and to be
a real model behind the protocol where no other server installs. The text of a token is its id.
"""

import argparse
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Chosen: a prompt of a million ids is no request to a server of one.
_MOST_BYTES = 16 * 2**20


class Serving(ThreadingHTTPServer):
    """The server and its engine; requests wait for one another."""

    daemon_threads = True

    def __init__(self, port: int, engine: Any) -> None:
        """Take a port of this machine."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.engine, self.turn = engine, threading.Lock()

    def tokens(self, prompt: list[int], count: int) -> Iterator[int]:
        """Yield the answer's tokens as they are there."""
        with self.turn:
            reset = getattr(self.engine, "reset", None)
            if reset is not None:
                reset()
            yield int(self.engine.prefill(prompt))
            for _ in range(count - 1):
                yield int(self.engine.step())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._whole(200 if self.path == "/health" else 404, {})

    def do_POST(self) -> None:
        try:
            prompt, count = self._asked()
        except (ValueError, KeyError, TypeError) as error:
            self._whole(400, {"error": f"{type(error).__name__}: {error}"})
            return
        self._begin()
        try:
            assert isinstance(self.server, Serving)
            for token in self.server.tokens(prompt, count):
                choice = {"index": 0, "text": f" {token}", "finish_reason": None}
                self._event(json.dumps({"choices": [choice]}))
        except ValueError as error:
            self._event(json.dumps({"error": str(error)}))
        else:
            usage = {"prompt_tokens": len(prompt), "completion_tokens": count}
            self._event(json.dumps({"choices": [], "usage": usage}))
            self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""

    def _asked(self) -> tuple[list[int], int]:
        length = int(self.headers.get("Content-Length", "0"))
        if self.path != "/v1/completions" or length > _MOST_BYTES:
            raise ValueError(f"{self.path} with {length} bytes is no completion")
        body = json.loads(self.rfile.read(length))
        prompt, count = body["prompt"], int(body["max_tokens"])
        if not prompt or not all(type(token) is int for token in prompt) or count < 1:
            raise ValueError("the prompt is a list of token ids, max_tokens at least 1")
        return prompt, count

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()

    def _event(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def _whole(self, status: int, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Make the engine that the command line names, and serve it."""
    from roofmark.bench.load import load_function

    parser = argparse.ArgumentParser(description="an engine behind the OpenAI protocol")
    parser.add_argument("entry", help="file.py::function")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    file, _, name = options.entry.partition("::")
    path = Path(file).absolute()
    make = load_function(path.parent, f"{path.name}::{name}")
    Serving(options.port, make(device=options.device)).serve_forever()


if __name__ == "__main__":
    main()
