"""Run one foreign program (a compiler, objdump, a profiler) within bounds.

In: a command, a folder, an environment, a time limit. Out: its exit status, its output and the
seconds it took. The whole process group is killed at the limit and at the end, because nvcc and
g++ start children that outlive a killed parent. Memory and file sizes are bounded too: a source
file may include an endless file or recurse without end.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.descendants import MARK, end_tree

# Chosen: enough for the longest honest template error; a log that is longer keeps both ends.
MAX_LOG_BYTES = 1024 * 1024
# Chosen: several times what ptxas and cc1plus take for one large kernel; below it, an endless
# include ends in "out of memory" instead of taking the machine with it.
MEMORY_LIMIT = 16 * 2**30
# Chosen: no library of one kernel comes near it; a runaway output must not fill the disk.
FILE_LIMIT = 2 * 2**30


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """What a program did. status means nothing when timed_out; complete: no output was dropped."""

    status: int
    output: str
    complete: bool
    seconds: float
    timed_out: bool


def run_tool(
    command: tuple[str, ...],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit: float,
    keep: int = MAX_LOG_BYTES,
    memory: int | None = MEMORY_LIMIT,
) -> ToolResult:
    """Run `command` in `folder`, for at most `limit` seconds; stdout and stderr are one log.

    keep: bytes of output to keep; of a longer one the middle is dropped, and `complete` is false.
    memory: bytes of address space; None for CUDA programs, which reserve all that a GPU has. With
    `MARK` in its environment, whatever carries that mark ends with the program, too.

    Raises: OSError when the program cannot be started.
    """
    start = time.monotonic()
    process = subprocess.Popen(
        _bounded(command, memory),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        log = _Log(keep)
        timed_out = _read_until(process, start + limit, log)
    finally:
        _end(process, environment.get(MARK, ""))
    return ToolResult(
        status=process.returncode,
        output=log.text(),
        complete=log.dropped == 0,
        seconds=time.monotonic() - start,
        timed_out=timed_out,
    )


def _bounded(command: tuple[str, ...], memory: int | None) -> list[str]:
    """The limits are set by a shell in the child: before it runs, and inherited by its children.

    ulimit counts memory in KiB and files in blocks of 512 bytes (bash's KiB only double that).
    """
    limits = f"ulimit -f {FILE_LIMIT // 512}; ulimit -c 0"
    if memory is not None:
        limits = f"ulimit -v {memory // 1024}; {limits}"
    return ["/bin/sh", "-c", f'{limits}; exec "$@"', "sh", *command]


class _Log:
    """Output as it comes: the first half of what is kept, then always the latest half."""

    def __init__(self, keep: int) -> None:
        self._half = keep // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def add(self, chunk: bytes) -> None:
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * self._half:
            self._cut()

    def text(self) -> str:
        if len(self._tail) > self._half:
            self._cut()
        gap = f"\n... {self.dropped} bytes of this log were dropped ...\n" if self.dropped else ""
        return (self._head + gap.encode() + self._tail).decode("utf-8", "replace")

    def _cut(self) -> None:
        extra = len(self._tail) - self._half
        del self._tail[:extra]
        self.dropped += extra


def _read_until(process: subprocess.Popen[bytes], deadline: float, log: _Log) -> bool:
    """Read until the program ends (False) or the deadline (True).

    A pipe that a child still holds open does not count: the child is killed with the group.
    """
    assert process.stdout is not None
    handle = process.stdout.fileno()
    while True:
        ended = process.poll() is not None
        wait = 0.0 if ended else min(0.02, max(0.0, deadline - time.monotonic()))
        readable, _, _ = select.select([handle], [], [], wait)
        chunk = os.read(handle, 65536) if readable else b""
        log.add(chunk)
        if ended and not chunk:
            return False
        if time.monotonic() > deadline:
            return not ended
        if readable and not chunk:
            time.sleep(0.005)  # the pipe is closed but the program still runs: do not spin


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    if mark:
        end_tree(process.pid, mark)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
