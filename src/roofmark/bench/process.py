"""Child processes that cannot outlive, flood or starve the run.

In: a module to run and limits. Out: replies, or `ChildFailed` that says how the child ended and
holds the end of what it printed. A child is killed with everything it started when it is late,
takes too much memory, or when the orchestrator ends, however that happens.
"""

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from roofmark.bench.channel import (
    NO_TOKEN,
    TOKEN_BYTES,
    ChannelClosed,
    has_unread,
    receive_reply,
    send,
)
from roofmark.bench.descendants import MARK, end_tree
from roofmark.bench.family import Family
from roofmark.bench.keeper import adopt_orphans
from roofmark.bench.messages import Failed, Ready, Reply, Request
from roofmark.bench.pausing import below, cpu_seconds_below, pause_process
from roofmark.units import Seconds

# Chosen: the last screens of a crash; a child that prints for ever costs this much and no more.
_KEEP_BYTES = 16_000
# Chosen: a runaway allocation gains about 0.5 GB between two looks, far below the limit itself.
_LOOK_SECONDS = 0.1
# Chosen: runtimes of threads spin for up to 0.2 s when their work is done; then honest ones sleep.
_REST_SECONDS = 0.4
# Chosen: twenty ticks of the clock that counts CPU time.
_IDLE_SECONDS = 0.2
# Chosen: a dozen children that import torch at once from a cold disk take a minute; what takes
# three is stuck. It is our own code that takes this time, so no limit of the protocol counts it.
START_SECONDS = 180.0
# Chosen: compilers that a library starts for all cores of a large host; a fork bomb has thousands.
_MOST_PROCESSES = 512
# Chosen: eight pools of a thread for each core of the largest hosts. A machine has room for a few
# times as many, and who takes it all keeps others from starting theirs.
_MOST_THREADS = 4096
# Chosen: honest output fits many times over; a flood beyond it is read slowly, so that it holds up
# the child that prints and not the machine that measures.
_FLOOD_BYTES = 1_000_000
_FLOOD_PAUSE = 0.01


class ChildFailed(Exception):
    """A child did not answer as asked."""

    def __init__(self, stage: str, reason: str, log: str, *, late: float = 0.0) -> None:
        """Keep stage, reason, the end of its output, and the limit in seconds if it was late."""
        super().__init__(reason)
        self.stage, self.reason, self.log, self.late = stage, reason, log, late


class ReplyFailed(Exception):
    """A child answered that its request failed; it still lives."""

    def __init__(self, stage: str, reply: Failed) -> None:
        """Keep the reply."""
        super().__init__(reply.reason)
        self.stage, self.reply = stage, reply


class Child:
    """One child process and the channel to it."""

    def __init__(
        self,
        module: str,
        *,
        folder: Path,
        memory: int,
        descriptors: tuple[int, ...],
        environment: dict[str, str],
    ) -> None:
        """Start `module` in `folder`; it inherits `descriptors` and nothing else.

        memory: bytes that it may hold, shared ones included. environment: replaces ours by name;
        a cage in it confines the child (cage.py).
        """
        adopt_orphans()
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._memory = memory
        # Into which a thread may write as long as it is in a system call.
        self._shares_memory = bool(descriptors)
        self._closed = False
        self._ready = False
        self._awake = False
        self._unasked = 0.0
        self._token = NO_TOKEN
        self._excess = ""
        environment = child_environment(folder, self._mark) | environment
        self._link, theirs = socket.socketpair()
        with theirs:
            inherited = (theirs.fileno(), *descriptors)
            try:
                self._process = _start(module, folder, environment, inherited)
            except BaseException:
                self._link.close()
                raise
        self.pid = 0
        self._family = Family(self._process.pid)
        self._said: deque[bytes] = deque()
        self._threads = [self._thread(self._drain), self._thread(self._watch)]

    def fileno(self) -> int:
        """Return the descriptor to wait on for something to read."""
        return self._link.fileno()

    def send(self, request: Request, *, stage: str, descriptor: int = -1) -> None:
        """Send a request, and a descriptor with it, without waiting. Raises: ChildFailed."""
        if self._ready and has_unread(self._link):
            raise self._failure(stage, "sent more than was asked for, or closed its channel")
        token = secrets.token_bytes(TOKEN_BYTES)
        self._awake = True
        try:
            send(self._link, request, token=token, descriptor=descriptor)
        except ChannelClosed as error:
            raise self._failure(stage, str(error)) from error
        self._token = token

    def wait_ready(self, *, stage: str) -> None:
        """Wait until its own code is imported. Raises: ChildFailed."""
        if not self._ready:
            reply = self._receive(stage, START_SECONDS)
            if not isinstance(reply, Ready):
                raise self._failure(stage, "did not begin as a child does")
            self._ready, self.pid = True, reply.pid

    def receive(self, *, stage: str, limit: float, start: float | None = None) -> Reply:
        """Return the reply within `limit` seconds of `start` (monotonic clock; by default now).

        Raises: ChildFailed (dead or late; then killed), ReplyFailed.
        """
        self.wait_ready(stage=stage)
        reply = self._receive(stage, limit, start, token=self._token)
        if isinstance(reply, Failed):
            raise ReplyFailed(stage, reply)
        return reply

    def ask(self, request: Request, *, stage: str, limit: float, descriptor: int = -1) -> Reply:
        """Send and receive."""
        self.send(request, stage=stage, descriptor=descriptor)
        return self.receive(stage=stage, limit=limit)

    def halt(self) -> None:
        """Stop the worker itself, and wait until it stands still."""
        if not self._closed:
            pause_process(self.pid)

    def pause(self) -> bool:
        """Stop it and everything it started until `resume`; return whether all stands still."""
        still = self._closed or self._family.pause(threads=self._shares_memory)
        self._awake = not still
        return still

    def resume(self) -> None:
        """Let it go on."""
        if not self._closed:
            self._awake = True
            self._unasked += self._family.take_ran()
            self._family.resume()

    def cpu_seconds(self) -> float:
        """Return the CPU time that it and everything it started have taken."""
        return cpu_seconds_below(self._process.pid)

    def take_unasked(self) -> Seconds:
        """Return the CPU time that it took while it was to stand still, since the last look."""
        found, self._unasked = self._unasked + self._family.take_ran(), 0.0
        return found

    def processes(self) -> tuple[int, ...]:
        """Return the ids of its keeper, itself and everything that it started."""
        return (self._process.pid, *self._family.members())

    def log(self) -> str:
        """Return the end of what the child printed."""
        return b"".join(self._said.copy()).decode(errors="replace")[-_KEEP_BYTES:]

    def close(self) -> None:
        """End the child and everything it started; safe to call twice."""
        if self._closed:
            return  # its number may be another process's by now
        self._closed = True
        end_tree(self._process.pid, self._mark)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._link.close()
        for thread in self._threads:
            thread.join(timeout=5)
        if self._process.stdout:
            self._process.stdout.close()

    def _receive(
        self, stage: str, limit: float, start: float | None = None, *, token: bytes = NO_TOKEN
    ) -> Reply:
        begun = time.monotonic() if start is None else start
        try:
            return receive_reply(self._link, deadline=begun + limit, token=token)
        except TimeoutError as error:
            raise self._failure(stage, "", late=limit) from error
        except ChannelClosed as error:
            raise self._failure(stage, str(error)) from error

    def _failure(self, stage: str, fact: str, *, late: float = 0.0) -> ChildFailed:
        """End the child and say why it failed: in its own way if it died, else by `fact`."""
        if not late:
            # The channel closed first; give the kernel a moment to say how the process ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
        code = self._process.poll()
        self.close()
        if self._excess:
            return ChildFailed(stage, f"{self._excess} and was killed", self.log())
        if late:
            reason = f"did not answer within {late:g} s and was killed"
            return ChildFailed(stage, reason, self.log(), late=late)
        return ChildFailed(stage, fact if code is None else _ending(code), self.log())

    def _thread(self, target: object) -> threading.Thread:
        thread = threading.Thread(target=target, daemon=True)  # pyright: ignore[reportArgumentType]
        thread.start()
        return thread

    def _drain(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        total = 0
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(stream.fileno(), 65536):
                self._keep(data[-_KEEP_BYTES:])
                total += len(data)
                if total > _FLOOD_BYTES and not self._closed:
                    time.sleep(_FLOOD_PAUSE)

    def _keep(self, data: bytes) -> None:
        # Few large pieces: a child that flushes every character would make a long queue.
        if self._said and len(self._said[-1]) + len(data) <= _KEEP_BYTES:
            data = self._said.pop() + data
        self._said.append(data)
        while len(self._said) > 2:
            self._said.popleft()

    def _watch(self) -> None:
        while self._process.poll() is None:
            # Who stands still takes nothing, and to look at dozens of them, with all their threads,
            # would take the time of those that are measured.
            self._excess = excess(self._process.pid, self._memory) if self._awake else ""
            if self._excess:
                with contextlib.suppress(OSError):
                    # Its keeper ends the rest.
                    os.kill(self.pid or self._process.pid, signal.SIGKILL)
                self._process.wait()
            time.sleep(_LOOK_SECONDS)
        # A process that it forked may still hold the channel; there will be no more replies.
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)


def cores_busy(children: Mapping[str, Child]) -> dict[str, float]:
    """Let all go on unasked, and return how many cores each keeps busy; they end stopped."""
    for child in children.values():
        child.resume()
    time.sleep(_REST_SECONDS)
    before = {name: child.cpu_seconds() for name, child in children.items()}
    time.sleep(_IDLE_SECONDS)
    found: dict[str, float] = {}
    for name, child in children.items():
        found[name] = (child.cpu_seconds() - before[name]) / _IDLE_SECONDS
        child.pause()
    return found


def _start(
    module: str, folder: Path, environment: dict[str, str], inherited: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    """Start the child; the first of the inherited descriptors is its end of the channel."""
    # -P: the child's folder must not come before installed packages on sys.path.
    program = [sys.executable, "-P", "-m", "roofmark.bench.serve", module, str(inherited[0])]
    return subprocess.Popen(
        program,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=inherited,
        start_new_session=True,
    )


def child_environment(folder: Path, mark: str) -> dict[str, str]:
    """Return a child's environment: ours, with caches and temporary files in its scratch folder."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    own = {
        "TMPDIR": str(temporary),
        "TRITON_CACHE_DIR": str(folder / "triton-cache"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor-cache"),
        # In the process: a pool of compilers goes on warming up while others are timed.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "TORCH_EXTENSIONS_DIR": str(folder / "torch-extensions"),
        "CUDA_CACHE_PATH": str(folder / "cuda-cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        MARK: mark,
    }
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # The child works in another folder, where a relative path would lead to another roofmark.
    absolute = os.pathsep.join(str(Path(each).absolute()) for each in paths if each)
    return dict(os.environ) | own | ({"PYTHONPATH": absolute} if absolute else {})


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended without an answer, with exit code {code}"
    return f"was killed by signal {-code} ({signal.strsignal(-code) or 'a real-time signal'})"


def excess(keeper: int, memory: int) -> str:
    """Return what all processes below a keeper have taken too much of, however deep they are."""
    found = list(below(keeper))
    if len(found) > _MOST_PROCESSES:
        return f"started more than {_MOST_PROCESSES} processes"
    taken = [_threads_and_memory(pid) for pid in found]
    if sum(threads for threads, _ in taken) > _MOST_THREADS:
        return f"started more than {_MOST_THREADS} threads"
    if sum(size for _, size in taken) > memory:
        return f"took more than {memory / 2**30:.1f} GiB of memory"
    return ""


def _threads_and_memory(pid: int) -> tuple[int, int]:
    """Return threads, and bytes: of no file, whose pages cost the machine nothing more."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return 0, 0
    found = dict(re.findall(r"^(RssAnon|RssShmem|Threads):\s*(\d+)", text, re.M))
    resident = int(found.get("RssAnon", 0)) + int(found.get("RssShmem", 0))
    return int(found.get("Threads", 0)), resident * 1024
