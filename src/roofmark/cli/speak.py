"""What every command says in the same way: JSON, paths, progress, a verdict and its exit code.

In: values. Out: text on stdout (data) or stderr (talk).
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofmark.cli import FAILS, HOLDS, UNDECIDED, Ended
from roofmark.cli import say as say
from roofmark.options import Progress
from roofmark.terminal_text import plain, quiet_json

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Verdict


def print_json(record: Any) -> None:
    """Print a record, or what JSON has a case for, on stdout."""
    from roofmark.records import encode_pretty

    sys.stdout.write(quiet_json(encode_pretty(record).decode()))


def say_wrote(path: Path) -> None:
    """End with the path of what was written."""
    say(f"Wrote {path}")


def is_lively() -> bool:
    """Whether standard error can be drawn over and its reader wants that."""
    plain_wanted = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not plain_wanted


@contextmanager
def progress_bar() -> Generator[Callable[[Progress], None]]:
    """Yield a function that shows progress: a bar on a terminal, plain lines elsewhere."""
    if not is_lively():
        yield progress_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None, left="")

        def show(now: Progress) -> None:
            left = "" if now.seconds_left is None else f"at most {now.seconds_left:.0f} s left"
            bar.update(
                task,
                description=plain(now.text),
                completed=now.done,
                total=now.total or None,
                left=left,
            )

        yield show


def progress_lines() -> Callable[[Progress], None]:
    """Return a function that shows progress as plain lines, a few a minute."""
    return _Lines().show


@contextmanager
def no_search_for_cycles() -> Generator[None]:
    """Read many records without looking through them, again and again, for what to throw away."""
    # Chosen: everything that is read is needed to the end; the search takes a fifth of the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def kept_on_interrupt(folder: Path) -> Generator[None]:
    """Say after Ctrl-C what is kept in `folder` and how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        advice = ""
        if (folder / "study.json").exists():
            advice = f"Finished traces are kept; go on with: roofmark run --resume {folder}"
        if (folder / "manifest.json").exists():
            advice = f"What was measured is sealed: {folder}"
        raise Ended(error, advice) from error


class _Lines:
    """Progress as lines: one per step, at most one every five seconds."""

    def __init__(self) -> None:
        """Let the first line through."""
        self._last = float("-inf")

    def show(self, now: Progress) -> None:
        """Print a line if the last one is old enough."""
        # Chosen: a log of an hour's run stays readable.
        if time.monotonic() - self._last < 5:
            return
        self._last = time.monotonic()
        left = "" if now.seconds_left is None else f" (at most {now.seconds_left:.0f} s left)"
        of = f" {now.done}/{now.total}" if now.total else ""
        say(f"{now.text}{of}{left}")


def exit_code_of(verdict: "Verdict") -> int:
    """Return 0 if all is decided and nothing is slower or invalid, 1 if something is, else 3."""
    decisions = [each.decision for each in verdict.overall if each.role == "solution"]
    if verdict.decision == "invalid" or {"slower", "invalid"} & set(decisions):
        return FAILS
    return UNDECIDED if "undecided" in decisions or not decisions else HOLDS
