"""Child processes that cannot outlive, flood or starve the run.

In: a module to run and limits. Out: replies, or `ChildFailed` that says how the child ended and
holds the end of what it printed. A child is killed with everything it started when it is late,
takes too much memory, or when the orchestrator ends, however that happens.
"""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

from roofmark.bench.channel import ChannelClosed, receive_reply, send
from roofmark.bench.messages import Failed, Reply, Request

_PR_SET_CHILD_SUBREAPER = 36  # Source: linux/prctl.h
_MARK = "ROOFMARK_CHILD"
# Chosen: the last screens of a crash; a child that prints for ever costs this much and no more.
_KEEP_BYTES = 16_000
# Chosen: a runaway allocation gains about 0.5 GB between two looks, far below the limit itself.
_LOOK_SECONDS = 0.1
# Chosen: a child that forks while it is being killed needs a few rounds; more would be a fork bomb
# that only a container can stop.
_KILL_ROUNDS = 50


class ChildFailed(Exception):
    """A child did not answer as asked."""

    def __init__(self, stage: str, reason: str, log: str, *, late: bool = False) -> None:
        """Keep what is known: stage, reason, the end of its output, whether it was late."""
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
        """Start `python -m module` in `folder`; it inherits `descriptors` and nothing else."""
        _adopt_orphans()
        ours, theirs = socket.socketpair()
        self._mark = secrets.token_hex(8)
        self._link = ours
        self._memory = memory
        self.over_memory = False
        with theirs:
            # -P: the child's folder must not come before installed packages on sys.path.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                cwd=folder,
                env=_environment(folder, self._mark) | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), *descriptors),
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._said: deque[bytes] = deque()
        self._threads = [self._thread(self._drain), self._thread(self._watch)]

    def send(self, request: Request, *, stage: str) -> None:
        """Send a request without waiting. Raises: ChildFailed."""
        try:
            send(self._link, request)
        except ChannelClosed as error:
            raise self._failure(stage, limit=None) from error

    def receive(self, *, stage: str, limit: float) -> Reply:
        """Return the reply. Raises: ChildFailed (dead or late; then killed), ReplyFailed."""
        try:
            reply = receive_reply(self._link, limit=limit)
        except TimeoutError as error:
            raise self._failure(stage, limit=limit) from error
        except ChannelClosed as error:
            raise self._failure(stage, limit=None) from error
        if isinstance(reply, Failed):
            raise ReplyFailed(stage, reply)
        return reply

    def ask(self, request: Request, *, stage: str, limit: float) -> Reply:
        """Send and receive."""
        self.send(request, stage=stage)
        return self.receive(stage=stage, limit=limit)

    def log(self) -> str:
        """Return the end of what the child printed."""
        return b"".join(self._said).decode(errors="replace")

    def close(self) -> None:
        """End the child and everything it started; safe to call twice."""
        with contextlib.suppress(OSError):
            self._link.close()
        self._kill()
        for thread in self._threads:
            thread.join(timeout=5)
        if self._process.stdout:
            self._process.stdout.close()

    def _failure(self, stage: str, *, limit: float | None) -> ChildFailed:
        if limit is None:
            # The channel closed first; give the kernel a moment to say how the process ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
        code = self._process.poll()
        self.close()
        if self.over_memory:
            reason = f"took more than {self._memory / 2**30:.1f} GiB of memory and was killed"
        elif limit is not None:
            reason = f"did not answer within {limit:.0f} s and was killed"
        else:
            reason = _ending(code)
        return ChildFailed(
            stage, reason, self.log(), late=limit is not None and not self.over_memory
        )

    def _kill(self) -> None:
        """Kill the session, then whatever left it, until nothing carries our mark."""
        for _ in range(_KILL_ROUNDS):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            others = [pid for pid in _marked(self._mark) if pid != self.pid]
            for pid in others:
                _end(pid)
            if not others:
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)

    def _thread(self, target: object) -> threading.Thread:
        thread = threading.Thread(target=target, daemon=True)  # pyright: ignore[reportArgumentType]
        thread.start()
        return thread

    def _drain(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(stream.fileno(), 65536):
                self._said.append(data[-_KEEP_BYTES:])
                while sum(map(len, self._said)) - len(self._said[0]) > _KEEP_BYTES:
                    self._said.popleft()

    def _watch(self) -> None:
        while self._process.poll() is None:
            if _private_bytes(self.pid) > self._memory:
                self.over_memory = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                return
            time.sleep(_LOOK_SECONDS)


def _environment(folder: Path, mark: str) -> dict[str, str]:
    """The child's environment: ours, with caches inside its own scratch folder."""
    own = {
        "TRITON_CACHE_DIR": str(folder / "triton-cache"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor-cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        _MARK: mark,
    }
    return dict(os.environ) | own


def _ending(code: int | None) -> str:
    if code is None:
        return "closed its channel"
    if code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"exited with code {code}"


def _private_bytes(pid: int) -> int:
    """Resident memory that is not shared; 0 when the process is gone."""
    try:
        _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _adopt_orphans() -> None:
    """Become the parent of whatever a child leaves behind, so that it can be found and ended."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _marked(mark: str) -> list[int]:
    """Return processes whose environment carries the mark: a child's descendants, setsid or not."""
    wanted = f"{_MARK}={mark}".encode()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def _end(pid: int) -> None:
    """Kill a descendant and, as its adoptive parent, take its last breath off the table."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        for _ in range(100):
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.01)
