"""Start the program that makes one call, alone or under a profiler, within bounds.

In: a job, words to put before the program, a time limit. Out: its answer and what was printed.
`start_child` is the seam: it starts one process tree, and all of it has ended when it returns.
"""

import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.descendants import MARK
from roofmark.bench.keeper import adopt_orphans
from roofmark.bench.process import child_environment
from roofmark.bench.profile_job import (
    Answer,
    Called,
    CallFailed,
    Mode,
    ProfileJob,
    paths_in,
)
from roofmark.bench.tool import ToolResult, run_tool
from roofmark.errors import BundleError
from roofmark.records import decode, encode

# Chosen: what a child and a profiler print is read by people; the bundle keeps both ends of it.
_KEEP_BYTES = 64_000

Start = Callable[[tuple[str, ...], Mode, Path, float], ToolResult]
"""(words before the program, mode, the child's folder, seconds) -> what it did."""


@dataclass(frozen=True)
class Ran:
    """What a child did. answer: None when it gave none."""

    tool: ToolResult
    answer: Called | CallFailed | None


def run_child(
    start: Start, prefix: tuple[str, ...], mode: Mode, job: ProfileJob, folder: Path, limit: float
) -> Ran:
    """Have one call made. Raises: OSError when nothing can be started."""
    folder.mkdir(parents=True, exist_ok=True)
    job_path, answer_path, _ = paths_in(folder)
    job_path.write_bytes(encode(job))
    answer_path.unlink(missing_ok=True)
    tool = start(prefix, mode, folder, limit)
    return Ran(tool, _read_answer(answer_path))


def start_child(prefix: tuple[str, ...], mode: Mode, folder: Path, limit: float) -> ToolResult:
    """Start the program under `prefix` and end it, with all it started, after `limit` seconds."""
    adopt_orphans()
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    # -P: the child's folder must not come before installed packages on sys.path.
    program = (sys.executable, "-P", "-m", "roofmark.bench.profile_child", mode, str(folder))
    return run_tool(
        (*prefix, *program),
        folder=folder,
        environment=child_environment(folder, mark) | {MARK: mark},
        limit=limit,
        keep=_KEEP_BYTES,
        memory=None,
    )


def _read_answer(path: Path) -> Called | CallFailed | None:
    """Return the answer; a process that died while it wrote it gave none."""
    try:
        return decode(path.read_bytes(), Answer, where=path).said
    except (OSError, BundleError):
        return None
