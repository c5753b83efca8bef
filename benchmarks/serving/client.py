"""What the client of serving engines adds to the times that it reports; a second client beside it.

    python benchmarks/serving/client.py [--streams 64] [--gap 0.02] [--tokens 64]

A server with known timing (roofmark.testing.server) notes when it hands each token to the kernel,
by the same clock of the same machine. Printed: the median gap between tokens as the server made it
and as the client saw it, the client's share (how much longer the one is than the other), the same
for a whole answer from first to last token and for the 99th percentile of gaps, the first token,
and the CPU that the client took. Target: a share under 2 % at 64 streams.

The second client is the plainest possible one: a thread per stream, blocking sockets through
http.client, a line read at a time. Its medians are printed for the same load.
"""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from statistics import median, quantiles

from roofmark.bench.serving.client import Client, Questions
from roofmark.bench.serving.server import free_port
from roofmark.legs import Server
from roofmark.served import samples_of
from roofmark.serving import Load


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = Load(prompt=8, generate=options.tokens, concurrency=options.streams)
    print(f"{options.streams} streams, {options.tokens} tokens each, a token per {options.gap:g} s")
    for _ in range(options.rounds):
        with server(options.gap) as port:
            ours(port, load)
        with server(options.gap) as port:
            plain(port, load)


@contextlib.contextmanager
def server(gap: float):
    port = free_port()
    command = [sys.executable, "-m", "roofmark.testing.server", "--port", str(port)]
    process = subprocess.Popen([*command, "--gap", str(gap), "--first", str(gap)])
    try:
        while True:
            with contextlib.suppress(OSError):
                get(port, "/health")
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def get(port: int, path: str) -> bytes:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    link.request("GET", path)
    return link.getresponse().read()


def ours(port: int, load: Load) -> None:
    client = Client(Server(), f"http://127.0.0.1:{port}", limit=300.0)
    prompts = [(1,) * load.prompt] * load.concurrency
    before = os.times()
    begun = time.perf_counter()
    requests = client.ask(Questions(prompts=prompts, due=(), streams=load.concurrency), load)
    wall, after = time.perf_counter() - begun, os.times()
    used = after.user + after.system - before.user - before.system
    found = samples_of(requests, load)
    spans = [one.arrivals[-1] - one.arrivals[0] for one in requests]
    tell("roofmark", found["itl"], found["ttft"], spans, port)
    print(f"           CPU of the client: {100 * used / wall:.0f} % of one core over {wall:.1f} s")


def plain(port: int, load: Load) -> None:
    """A reference client with nothing in common with ours but the protocol."""
    gaps: list[float] = []
    firsts: list[float] = []
    spans: list[float] = []

    def stream() -> None:
        body = {"prompt": [1] * load.prompt, "max_tokens": load.generate, "stream": True}
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begun = time.perf_counter()
        link.request("POST", "/v1/completions", json.dumps(body))
        answer, times = link.getresponse(), []
        while line := answer.readline():
            if line.startswith(b"data: {") and json.loads(line[6:])["choices"]:
                times.append(time.perf_counter())
        gaps.extend(b - a for a, b in pairwise(times))
        firsts.append(times[0] - begun)
        spans.append(times[-1] - times[0])

    threads = [threading.Thread(target=stream) for _ in range(load.concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell("http.client", gaps, firsts, spans, port)


def tell(name: str, gaps: list[float], firsts: list[float], spans: list[float], port: int) -> None:
    told = json.loads(get(port, "/times"))
    made = [b - a for times in told for a, b in pairwise(times)]
    share = median(gaps) / median(made) - 1
    whole = median(spans) / median(times[-1] - times[0] for times in told) - 1
    p99 = (quantiles(gaps, n=100)[98] - quantiles(made, n=100)[98]) / median(made)
    print(
        f"{name:>11}: median gap {1e3 * median(gaps):.3f} ms, made {1e3 * median(made):.3f} ms, "
        f"share {100 * share:+.2f} %; of a whole answer {100 * whole:+.3f} %; "
        f"p99 {100 * p99:+.2f} %; "
        f"first token {1e3 * median(firsts):.2f} ms"
    )


if __name__ == "__main__":
    main()
