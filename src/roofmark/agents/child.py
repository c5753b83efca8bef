"""One command as a child that ends whole: when it is done, cut, cancelled, or its server dies.

In: words of a command, a limit. Out: its exit code, stdout and stderr; every line of stderr is
passed on as it comes.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteReceiveStream, Process

from roofmark.bench.descendants import MARK, end_tree

# The child is sent SIGKILL when the server dies, however it dies; its workers end with it.
_CODE = (
    "import signal; from roofmark.bench.keeper import die_with_parent; "
    "die_with_parent(signal.SIGKILL, parent={}); from roofmark.cli import console; console()"
)
# Chosen: a command that is interrupted ends its workers and removes its scratch well within it.
_GRACE_SECONDS = 5.0
# Chosen: several times the largest verdict; a study that prints without end must not fill memory.
_MOST_BYTES = 16 * 2**20

Said = Callable[[str], Awaitable[None]]


@dataclass
class Done:
    """What a command left. timed_out: it was cut at its limit."""

    code: int = -1
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    timed_out: bool = False


async def run_command(words: list[str], *, limit: float, said: Said) -> Done:
    """Run `roofmark WORDS` for at most `limit` seconds; nothing of it is left afterwards."""
    done, mark = Done(), f"{os.getpid()}-{secrets.token_hex(8)}"
    process = await anyio.open_process(
        [sys.executable, "-c", _CODE.format(os.getpid()), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {MARK: mark},
        start_new_session=True,
    )
    try:
        with anyio.move_on_after(limit) as scope:
            await _follow(process, done, said)
        done.timed_out = scope.cancelled_caught
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process, mark)
    done.code = process.returncode if process.returncode is not None else -1
    return done


async def _follow(process: Process, done: Done, said: Said) -> None:
    assert process.stdout is not None and process.stderr is not None
    async with anyio.create_task_group() as group:
        group.start_soon(_read, process.stdout, done.out, None)
        group.start_soon(_read, process.stderr, done.err, said)
        await process.wait()


async def _read(stream: ByteReceiveStream, kept: bytearray, said: Said | None) -> None:
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        line = b""
        while True:
            chunk = await stream.receive()
            if len(kept) < _MOST_BYTES:
                kept += chunk
            if said is not None:
                *lines, line = (line + chunk)[-_MOST_BYTES:].split(b"\n")
                for each in lines:
                    await said(each.decode("utf-8", "replace"))


async def _end(process: Process, mark: str) -> None:
    """Ask it to end, then end it and all that it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        with anyio.move_on_after(_GRACE_SECONDS):
            await process.wait()
    if process.returncode is None:
        await anyio.to_thread.run_sync(end_tree, process.pid, mark)
        with anyio.move_on_after(_GRACE_SECONDS):
            await process.wait()
    await process.aclose()
