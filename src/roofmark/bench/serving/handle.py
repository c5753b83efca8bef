"""A handle on one leg: what the run of engines needs of it, whatever kind it is.

In: nothing. Out: `Handle`, what a visit gives (`Seen`), how a leg fails (`LegFailed`), and small
readers of a leg's processes.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol as Interface

from roofmark.bench.serving.client import Questions
from roofmark.evidence import Build, Crashed, Incorrect, TimedOut
from roofmark.legs import Smoke
from roofmark.records import Missing
from roofmark.served import LegProfile, Request, SmokeAnswer
from roofmark.serving import Load
from roofmark.study import Tier


class LegFailed(Exception):
    """A leg did not do what it was asked; `outcome` is what its trace keeps."""

    def __init__(self, outcome: Crashed | TimedOut | Incorrect) -> None:
        """Keep the outcome."""
        super().__init__(getattr(outcome, "reason", "late"))
        self.outcome = outcome


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one visit gave. calls: tokens behind each sample of a tier, 1 where they differ.

    absent: tier -> why it has no sample.
    """

    samples: dict[Tier, tuple[float, ...]]
    clock: str
    requests: tuple[Request, ...] = ()
    calls: dict[Tier, int] = field(default_factory=dict["Tier", int])
    absent: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Command lines of processes, and variable -> its value in each of them, in the same order."""

    processes: tuple[str, ...] = ()
    environment: dict[str, tuple[str | Missing, ...]] = field(
        default_factory=dict[str, "tuple[str | Missing, ...]"]
    )


class Handle(Interface):
    """One leg in one process set. Everything raises LegFailed."""

    fresh: bool

    @property
    def alive(self) -> bool:
        """Whether it can be visited."""
        ...

    def launch(self) -> None:
        """Start it without waiting, so that several can get ready side by side."""
        ...

    def start(self) -> Build:
        """Launch it, if that was not done, and wait until it can serve; return what runs."""
        ...

    def visit(self, load: Load, questions: Questions) -> Seen:
        """Ask everything and wait for every answer."""
        ...

    def ask(self, smoke: Smoke) -> SmokeAnswer | Missing:
        """Return its answer to a smoke prompt, or why it takes none."""
        ...

    def profile(self, load: Load, questions: Questions, tokens: int) -> LegProfile | Missing:
        """Run a pass under a profiler, or say why that is not possible."""
        ...

    def logits(
        self, prompt: tuple[int, ...], forced: tuple[int, ...], tokens: int
    ) -> "Logits | Missing":
        """Return greedy tokens and logits; with `forced`, of these tokens fed one by one."""
        ...

    def pids(self) -> tuple[int, ...]:
        """Return its processes, the one that serves first; none when it is gone."""
        ...

    def observed(self, names: Iterable[str]) -> "Observed":
        """Return its processes and what these variables are in each."""
        ...

    def log(self) -> str:
        """Return the end of what it printed."""
        ...

    def stop(self) -> str:
        """Stop it; return "stopped", or how it ended before."""
        ...


def launch(handle: Handle) -> None:
    """Launch a leg. One that fails already here is launched again by `start`, which says why."""
    with contextlib.suppress(LegFailed):
        handle.launch()


@dataclass(frozen=True, kw_only=True)
class Logits:
    """Tokens that an engine gave, and its logits before each: [len(tokens), width] float32."""

    tokens: tuple[int, ...]
    data: bytes
    width: int


# --- processes -----------------------------------------------------------------------------------
def tree_of(pid: int) -> tuple[int, ...]:
    """Return a process and all that descend from it, parents first; nothing if it is gone."""
    parents: dict[int, list[int]] = {}
    alive: set[int] = set()
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            number = int(path.name)
            words = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if words[0] not in "ZX":
                alive.add(number)
                parents.setdefault(int(words[1]), []).append(number)
    found = [pid] if pid in alive else []
    for each in found:
        found += parents.get(each, [])
    return tuple(found)


def read_environment(pid: int) -> dict[str, str] | Missing:
    """Return the variables that a process was started with, as the kernel holds them."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError as error:
        return Missing(reason=f"/proc/{pid}/environ: {error.strerror}")
    pairs = (item.decode(errors="replace").partition("=") for item in raw.split(b"\0") if item)
    return {name: value for name, _, value in pairs}


def observe(pids: Iterable[int], names: Iterable[str]) -> Observed:
    """Return command lines and variables; Missing where one is not set or cannot be read."""
    unset = Missing(reason="not set in this process")
    found = {pid: read_environment(pid) for pid in pids}
    return Observed(
        processes=tuple(command_line(pid) for pid in found),
        environment={
            name: tuple(v if isinstance(v, Missing) else v.get(name, unset) for v in found.values())
            for name in names
        },
    )


def command_line(pid: int) -> str:
    """Return a process's command line, or "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def forget_peak(pids: Iterable[int]) -> None:
    """Begin a new count of each process's peak memory. Source: proc_pid_clear_refs(5)."""
    for pid in pids:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def read_memory(pids: Iterable[int], field: str) -> int:
    """Return the bytes of all processes together; field: VmHWM (peak) or VmRSS (now)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            text = Path(f"/proc/{pid}/status").read_text(errors="replace")
            line = next(each for each in text.splitlines() if each.startswith(f"{field}:"))
            total += int(line.split()[1]) * 1024
    return total
