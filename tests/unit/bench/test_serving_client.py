"""The client of serving engines against a server with known timing and planted faults."""

import contextlib
import http.client
import json
import subprocess
import sys
import time

import pytest

from roofmark.bench.serving.client import Client, Questions, plan_due
from roofmark.bench.serving.server import free_port
from roofmark.bench.serving.stream import read_answer
from roofmark.legs import Server
from roofmark.records import Missing
from roofmark.served import Answered, Fault, Request, samples_of
from roofmark.serving import Load

QUICK = Server(first_limit=1.0, gap_limit=1.0)
LOAD = Load(prompt=5, generate=6, concurrency=2)


@contextlib.contextmanager
def server(*options: str):
    port = free_port()
    command = [sys.executable, "-m", "roofmark.testing.server", "--port", str(port), *options]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with contextlib.suppress(OSError):
                link.request("GET", "/health")
                link.getresponse().read()
                break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def ask(url: str, *, load: Load = LOAD, leg: Server = QUICK, count: int = 4, limit: float = 10.0):
    due = plan_due(load, count, "seed")
    questions = Questions(prompts=[(1, 2, 3, 4, 5)] * count, due=due, streams=load.concurrency)
    return Client(leg, url, limit=limit).ask(questions, load)


def test_every_token_has_its_arrival_and_every_stream_its_turn():
    with server() as url:
        found = ask(url)
    assert [type(each.ending) for each in found] == [Answered] * 4
    for each in found:
        assert (each.prompt_tokens, each.tokens, len(each.arrivals)) == (5, 6, 6)
        assert each.output == " word" * 6
        assert each.intended <= each.sent <= each.arrivals[0]
        assert list(each.arrivals) == sorted(each.arrivals)
    # Streams 0 and 1 ask 0, 2 and 1, 3: the second request of a stream waits for the first.
    assert found[2].sent >= found[0].arrivals[-1]
    assert found[1].sent < found[0].arrivals[-1]


def test_chunks_are_not_tokens():
    with server("--burst", "3") as url:
        found = ask(url)
    assert {(each.tokens, len(each.arrivals)) for each in found} == {(6, 2)}
    assert len(samples_of(found, LOAD)["itl"]) == 4


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ("http", "http", "HTTP 500"),
        ("cut", "cut", "before [DONE]"),
        ("mute", "late", "no first byte within 1 s"),
        ("stall", "late", "nothing more within 1 s"),
        ("count", "count", "7 tokens counted, 6 asked for"),
        ("short", "count", "3 tokens counted, 6 asked for"),
        ("garbage", "malformed", "no JSON"),
    ],
)
def test_a_fault_has_its_own_name(fault, kind, says):
    with server("--fault", fault, "--after", "1") as url:
        found = ask(url, count=2, load=Load(prompt=5, generate=6, concurrency=1))
    assert isinstance(found[0].ending, Answered)
    assert isinstance(found[1].ending, Fault)
    assert found[1].ending.kind == kind
    assert says in found[1].ending.reason


def test_nobody_there_is_refused():
    found = ask(f"http://127.0.0.1:{free_port()}", count=2)
    assert {each.ending.kind for each in found if isinstance(each.ending, Fault)} == {"refused"}


def test_a_visit_that_takes_too_long_is_late():
    with server("--first", "30") as url:
        found = ask(url, leg=Server(first_limit=60.0), limit=0.3, count=2)
    assert [each.ending.kind for each in found if isinstance(each.ending, Fault)] == ["late"] * 2


def test_an_open_loop_does_not_wait_for_answers():
    load = Load(prompt=5, generate=6, rate=60_000)
    with server("--first", "0.3") as url:
        found = ask(url, load=load, count=8)
    assert all(isinstance(each.ending, Answered) for each in found)
    # All are due within milliseconds and the first answer takes 0.3 s: nobody waited for it.
    assert max(each.sent for each in found) < min(each.arrivals[0] for each in found)
    assert [each.intended for each in found] == list(plan_due(load, 8, "seed"))


def test_latency_counts_from_the_intended_start():
    late = Request(
        intended=1.0, sent=3.0, arrivals=(4.0, 4.5), prompt_tokens=1, tokens=2, output="ab",
        ending=Answered(),
    )  # fmt: skip
    samples = samples_of([late], Load(generate=2, rate=60))
    assert samples["ttft"] == (3.0,)
    assert samples["request"] == (3.5,)
    assert samples["token"] == (0.5,)
    assert samples["output"] == (0.75,)


def test_prefill_is_first_token_over_prompt_tokens():
    one = Request(
        intended=0.0, sent=0.5, arrivals=(2.5,), prompt_tokens=4, tokens=1, output="",
        ending=Answered(),
    )  # fmt: skip
    samples = samples_of([one], Load(prompt=4))
    assert samples["token"] == (0.5,)
    assert "itl" not in samples
    assert "output" not in samples


def test_uncounted_tokens_give_no_time_per_token():
    one = Request(
        intended=0.0, sent=0.0, arrivals=(1.0, 2.0), prompt_tokens=Missing(reason="x"),
        tokens=Missing(reason="x"), output="", ending=Answered(),
    )  # fmt: skip
    assert set(samples_of([one], Load(generate=2))) == {"ttft", "itl", "request"}


# --- the stream ----------------------------------------------------------------------------------
def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"text": text, "finish_reason": None}]}).encode()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def test_an_event_arrives_with_its_last_byte():
    whole = event("a") + b"\n\n"
    pieces = [
        (1.0, HEAD + whole[:10]),
        (2.0, whole[10:-1]),
        (3.0, b"\n"),
        (4.0, b"data: [DONE]\n\n"),
    ]
    answer = read_answer(pieces)
    assert (answer.arrivals, answer.text, answer.fault) == ([3.0], "a", None)


def test_chunks_of_the_transport_may_cut_events_anywhere():
    body = event("a") + b"\r\n\r\n" + event("b") + b"\r\n\r\ndata: [DONE]\r\n\r\n"
    head = HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    for size in (1, 7, 64, len(body)):
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        raw = head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
        pieces = [(float(at), raw[at : at + 3]) for at in range(0, len(raw), 3)]
        answer = read_answer(pieces)
        assert (answer.text, answer.fault) == ("ab", None), size
        first, second = answer.arrivals
        assert first < second


def test_a_whole_body_that_names_its_end_needs_no_done():
    end = b'data: {"choices": [{"text": "", "finish_reason": "length"}]}\n\n'
    head = HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")

    def faults(*events, last):
        raw = head + b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in events) + last
        answer = read_answer([(0.0, raw)])
        return answer.fault.kind if answer.fault else answer.text

    one = event("a") + b"\n\n"
    assert faults(one, end, last=b"0\r\n\r\n") == "a"
    assert faults(one, last=b"0\r\n\r\n") == "cut"
    assert faults(one, end, last=b"") == "cut"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"HTTP/1.1 200 OK\r\n",
        HEAD,
        HEAD + b"data: [1, 2]\n\n",
        HEAD + b"\xff" * 99,
    ],
)
def test_no_answer_is_ever_taken_from_nonsense(raw):
    answer = read_answer([(0.0, raw)] if raw else [])
    assert answer.fault is not None
    assert answer.arrivals == []
