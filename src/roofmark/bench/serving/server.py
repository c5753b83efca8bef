"""A server leg: started behind a keeper, waited for, asked, drained, stopped; or found running.

In: a `Server` and the folder of its sources. Out: a `Handle`. Between orchestrator and server
stands a keeper (`python -m roofmark.bench.serving.tied`), so that a server never outlives a run
that was killed. It is asked to stop by SIGTERM and has `stop_limit` to finish what it does; no
request is in flight by then.
"""

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from roofmark.bench.build import source_digest
from roofmark.bench.descendants import MARK, end_tree
from roofmark.bench.process import adopt_orphans
from roofmark.bench.serving.client import Client, Questions
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
from roofmark.evidence import Build, Crashed, Incorrect, TimedOut
from roofmark.legs import Server, Smoke
from roofmark.records import Missing, digest
from roofmark.served import Fault, LegProfile, Request, SmokeAnswer, samples_of
from roofmark.serving import Load
from roofmark.study import Protocol, Solution, Tier

# Chosen: often enough for a start of a second to be told from one of two.
_POLL = 0.05
# Chosen: the last screens of a crash.
_KEEP_BYTES = 16_000
_CLOCK = "client, perf_counter"


class ServerHandle:
    """One server in one process set."""

    def __init__(self, solution: Solution, folder: Path, protocol: Protocol) -> None:
        """Take what to start; nothing is started yet."""
        self._solution, self._folder, self._protocol = solution, folder, protocol
        self._leg = cast(Server, solution.leg)
        self.fresh = bool(self._leg.run)
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = ""
        self._url = self._leg.url
        self._up = False
        self._filled: tuple[str, ...] = ()
        self._said = folder / ".server.log"

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._url

    @property
    def alive(self) -> bool:
        """Whether it serves, as far as is known."""
        return self._up and (self._process is None or self._process.poll() is None)

    def launch(self) -> None:
        """Start it on a free port."""
        port = free_port()
        self._url = self._leg.url.replace("{port}", str(port))
        self._filled = fill(self._leg.run, {"port": str(port), "folder": str(self._folder)})
        if self._filled:
            self._run(self._filled)

    def start(self) -> Build:
        """Wait until its `ready` path answers 200."""
        if self._process is None:
            self.launch()
        self._wait_ready()
        self._up = True
        return program_build(self._solution, self._folder, self._leg.run, self._filled)

    def visit(self, load: Load, questions: Questions) -> Seen:
        """Ask everything; the first request that was not answered ends the visit's claim."""
        pids = self.pids()
        forget_peak(pids)
        client = Client(self._leg, self._url, limit=self._protocol.call_limit)
        requests = client.ask(questions, load)
        self._check(requests)
        samples = samples_of(requests, load)
        if pids:
            samples["memory"] = (float(read_memory(pids, "VmHWM")),)
        absent = {} if pids else {"memory": "the server runs outside of this run's processes"}
        absent |= uncounted(requests, samples)
        return Seen(
            samples=samples,
            clock=_CLOCK,
            requests=requests,
            calls=tokens_behind(requests, load),
            absent=absent,
        )

    def ask(self, smoke: Smoke) -> SmokeAnswer:
        """Return its greedy answer."""
        client = Client(self._leg, self._url, limit=self._protocol.call_limit)
        answer, fault = client.complete(str(smoke.prompt), smoke.tokens)
        if fault:
            self._fail(fault, "smoke")
        return SmokeAnswer(answer=answer, passed=str(smoke.expect) in answer)

    def profile(self, load: Load, questions: Questions, tokens: int) -> LegProfile | Missing:
        """Say that a server is not profiled from outside."""
        return Missing(reason="a server is profiled by its own tools; import its trace")

    def logits(
        self, prompt: tuple[int, ...], forced: tuple[int, ...], tokens: int
    ) -> Logits | Missing:
        """Say that a server shows no logits."""
        return Missing(reason="a server shows no logits; its outputs are in the bundle")

    def pids(self) -> tuple[int, ...]:
        """Return the server's processes; the keeper before them is ours."""
        return tree_of(self._process.pid)[1:] if self._process else ()

    def observed(self, names: Iterable[str]) -> Observed:
        """Return its processes and what these variables are in each."""
        return observe(self.pids(), names)

    def log(self) -> str:
        """Return the end of what it printed."""
        try:
            with self._said.open("rb") as file:
                file.seek(max(0, self._said.stat().st_size - _KEEP_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def stop(self) -> str:
        """Ask it to stop, wait, then end whatever is left."""
        self._up = False
        process, self._process = self._process, None
        if process is None:
            return "left running" if not self.fresh else "stopped"
        ended = process.poll()
        if ended is None:
            for pid in tree_of(process.pid)[1:2]:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=self._leg.stop_limit)
        how = "stopped" if ended is None else f"died: {ending(ended)}"
        if ended is None and process.poll() is None:
            how = f"killed: it did not stop within {self._leg.stop_limit:g} s"
        end_tree(process.pid, self._mark)
        process.wait()
        return how

    # --- inside ----------------------------------------------------------------------------------
    def _run(self, command: tuple[str, ...]) -> None:
        adopt_orphans()
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        environment = dict(os.environ) | self._leg.environment | {MARK: self._mark}
        program = [sys.executable, "-P", "-m", "roofmark.bench.serving.tied", *command]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                program,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_ready(self) -> None:
        limit = self._leg.ready_limit
        deadline = time.monotonic() + limit
        while not _answers(self._url, self._leg.ready):
            ended = self._process.poll() if self._process else None
            if ended is not None:
                raise self._crashed("start", f"the server ended while it started: {ending(ended)}")
            if time.monotonic() > deadline:
                self.stop()
                raise LegFailed(TimedOut(stage="start", limit=limit))
            time.sleep(_POLL)

    def _check(self, requests: tuple[Request, ...]) -> None:
        """Raise for the first request, in the order of the visit, that was not answered."""
        for each in requests:
            if isinstance(each.ending, Fault):
                self._fail(each.ending, "request")

    def _fail(self, fault: Fault, stage: str) -> None:
        """Raise the outcome that a fault means."""
        if self._process is not None and self._process.poll() is not None:
            code = self._process.poll()
            raise self._crashed(stage, f"the server died ({ending(code or 0)}): {fault.reason}")
        if fault.kind == "late":
            limit = min(self._leg.first_limit, self._leg.gap_limit, self._protocol.call_limit)
            raise LegFailed(TimedOut(stage=f"{stage}: {fault.reason}", limit=limit))
        if fault.kind in ("count", "malformed"):
            raise LegFailed(Incorrect(build="", checks=(), reason=f"{fault.kind}: {fault.reason}"))
        raise self._crashed(stage, f"{fault.kind}: {fault.reason}")

    def _crashed(self, stage: str, reason: str) -> LegFailed:
        self._up = self._process is not None and self._process.poll() is None
        return LegFailed(Crashed(stage=stage, reason=reason, log=self.log()))


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fill(command: Iterable[str], values: dict[str, str]) -> tuple[str, ...]:
    """Return the command with {name} replaced; other braces stay as they are."""
    values = values | {"python": sys.executable}
    filled = list(command)
    for name, value in values.items():
        filled = [part.replace("{" + name + "}", value) for part in filled]
    return tuple(filled)


def program_build(
    solution: Solution, folder: Path, command: tuple[str, ...], filled: tuple[str, ...]
) -> Build:
    """Return what is known of a program that was started and not built."""
    found = shutil.which(filled[0]) if filled else None
    try:
        binary = digest(Path(found).read_bytes()) if found else None
    except OSError:
        binary = None
    return Build(
        solution=solution.name,
        language="program",
        compiler=Missing(reason="nothing was compiled"),
        command=command,
        seconds=Missing(reason="nothing was compiled"),
        source=source_digest(solution, folder),
        binary=binary or Missing(reason="its file is not known or cannot be read"),
        targets=(),
        kernels=(),
    )


def tokens_behind(requests: tuple[Request, ...], load: Load) -> dict[Tier, int]:
    """Return the tokens behind each sample of `token`, where all requests have the same."""
    counts = {each.tokens if load.generate else each.prompt_tokens for each in requests}
    only = counts.pop() if len(counts) == 1 else 0
    behind = only - (1 if load.generate else 0) if isinstance(only, int) else 0
    return {"token": behind} if behind > 0 else {}


def uncounted(
    requests: tuple[Request, ...], samples: dict[Tier, tuple[float, ...]]
) -> dict[str, str]:
    """Return the tiers that lack a sample because no tokens were counted, with the reason."""
    if "token" in samples:
        return {}
    reasons = [v.reason for one in requests for v in (one.tokens, one.prompt_tokens)
               if isinstance(v, Missing)]  # fmt: skip
    return {"token": reasons[0] if reasons else "one token per request has no time between tokens"}


def ending(code: int) -> str:
    """Return how a process ended, in words."""
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


def _answers(url: str, path: str) -> bool:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    link = kind(parts.hostname or "", parts.port, timeout=5)
    try:
        link.request("GET", parts.path.rstrip("/") + path)
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException, ssl.SSLError):
        return False
    finally:
        link.close()
