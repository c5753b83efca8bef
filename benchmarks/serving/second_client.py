"""Our client and guidellm ask the same server with known timing: do they see the same times?

    python3 -m venv /tmp/second && /tmp/second/bin/pip install guidellm    # apart: it brings torch
    python benchmarks/serving/second_client.py --client /tmp/second/bin/guidellm [--streams 1 8 64]

In turns, each time with a fresh server (roofmark.testing.server, which notes by its own clock when
it handed out each token). Printed for each number of streams: the time to the first token, the mean
time between tokens of a request, and a request's tokens per second: as the server made them, as
either client saw them (median of all requests, and half the width of the middle 90 % of them), the
difference of the medians, and whether it lies within the larger of the two half widths. Exit code 1
if any does not.

guidellm connects after its clock has started and ours before, so its first tokens come later.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

from client import get, server

from roofmark.bench.serving.client import Client, Questions
from roofmark.legs import Server
from roofmark.serving import Load

METRICS = ("first token, ms", "between tokens, ms", "tokens/s")
PROMPT = 8
Seen = list[tuple[float, float, float]]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", default=shutil.which("guidellm"))
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--gap", type=float, default=0.02)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=3, help="requests of each stream in a round")
    options = parser.parse_args()
    if not options.client:
        sys.exit("no guidellm on PATH: pip install guidellm, or --client PATH")
    told = subprocess.run([options.client, "--version"], capture_output=True, text=True, check=True)
    print(f"{told.stdout.strip()}; {options.tokens} tokens, one each {options.gap:g} s")
    print(f"{'streams':>7} {'':20}{'made':>9}{'roofmark':>18}{'guidellm':>18}{'apart':>10}")
    agreed = [show(streams, options) for streams in options.streams]
    return 0 if all(agreed) else 1


def show(streams: int, options: argparse.Namespace) -> bool:
    """Print the rows of one number of streams; return whether the clients agree on all."""
    load = Load(prompt=PROMPT, generate=options.tokens, concurrency=streams)
    ours, theirs, made = Seen(), Seen(), Seen()
    for _ in range(options.rounds):
        with server(options.gap) as port:
            ours += ask(port, load, options.calls)
            made += read_made(port, options.gap)
        with server(options.gap) as port:
            theirs += ask_guidellm(options.client, port, load, options.calls)
            made += read_made(port, options.gap)
    agree = True
    for place, name in enumerate(METRICS):
        columns = [[row[place] for row in side] for side in (made, ours, theirs)]
        middle = [median(column) for column in columns]
        spread = [half_width(column) for column in columns]
        apart, within = middle[2] - middle[1], max(spread[1:])
        agree = agree and abs(apart) <= within
        sides = "".join(f"{m:10.3f} ±{s:6.3f}" for m, s in zip(middle[1:], spread[1:], strict=True))
        word = "agree" if abs(apart) <= within else "DIFFER"
        print(f"{streams:7} {name:20}{middle[0]:9.3f}{sides}{apart:+10.3f} {word}", flush=True)
    return agree


def half_width(column: list[float]) -> float:
    cut = quantiles(column, n=20)
    return (cut[-1] - cut[0]) / 2


def summed(first: float, last: float, tokens: int) -> tuple[float, float, float]:
    """first, last: seconds from the request to its first and last token."""
    return 1e3 * first, 1e3 * (last - first) / (tokens - 1), tokens / last


def ask(port: int, load: Load, calls: int) -> Seen:
    client = Client(Server(), f"http://127.0.0.1:{port}", limit=600.0)
    prompts = [(1,) * load.prompt] * (load.concurrency * calls)
    requests = client.ask(Questions(prompts=prompts, due=(), streams=load.concurrency), load)
    times = [(one.arrivals[0] - one.sent, one.arrivals[-1] - one.sent) for one in requests]
    return [summed(first, last, load.generate) for first, last in times]


def ask_guidellm(client: str, port: int, load: Load, calls: int) -> Seen:
    """Run guidellm on the same load; return what its report says of each request."""
    count = load.concurrency * calls
    with tempfile.TemporaryDirectory() as name:
        questions, report = Path(name, "questions.jsonl"), Path(name, "report.json")
        row = {"prompt": " ".join(["word"] * PROMPT), "output_tokens_count": load.generate}
        questions.write_text(f"{json.dumps(row)}\n" * count)
        backend = f"kind=openai_http,target=http://127.0.0.1:{port},model=m,http2=false"
        command = [client, "run", "--disable-console"]
        command += ["--backend", f"{backend},request_format=/v1/completions,validate_backend=false"]
        command += ["--profile", f"kind=concurrent,streams={load.concurrency}"]
        command += ["--constraint", f"kind=max_requests,count={count}"]
        command += ["--data", f"kind=json_file,path={questions}"]
        command += ["--output", f"kind=json,path={report}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=name)
        if done.returncode or not report.exists():
            sys.exit(f"guidellm failed:\n{(done.stdout + done.stderr)[-3000:]}")
        requests = json.loads(report.read_text())["benchmarks"][0]["requests"]["successful"]
    if len(requests) != count:
        sys.exit(f"guidellm finished {len(requests)} of {count} requests")
    return [told_by_guidellm(one["info"]["timings"], one["output_tokens"]) for one in requests]


def told_by_guidellm(times: dict[str, float], tokens: int) -> tuple[float, float, float]:
    begun = times["request_start"]
    first, last = times["first_token_iteration"], times["last_token_iteration"]
    return summed(first - begun, last - begun, tokens)


def read_made(port: int, first: float) -> Seen:
    """Return what the server did; it notes when tokens left it, not when a request came."""
    answers = json.loads(get(port, "/times"))
    return [summed(first, first + times[-1] - times[0], len(times)) for times in answers]


if __name__ == "__main__":
    sys.exit(main())
