"""A command leg: a program that measures itself, run once for every visit.

In: a `Command` and the folder of its sources. Out: a `Handle` whose samples are those that the
program printed: llama-bench's own repetitions, or what a declared pattern finds. A number without
its repetitions is no sample, and output that does not say what was asked is an incorrect leg.
"""

import json
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from roofmark.bench.descendants import MARK, marked
from roofmark.bench.serving.client import Questions
from roofmark.bench.serving.handle import LegFailed, Logits, Observed, Seen, observe
from roofmark.bench.serving.server import ending, fill, program_build
from roofmark.bench.tool import ToolResult, run_tool
from roofmark.evidence import Build, Crashed, Incorrect, TimedOut
from roofmark.legs import Command, LlamaBench, Pattern, Smoke
from roofmark.records import Missing
from roofmark.served import LegProfile, SmokeAnswer
from roofmark.serving import Load
from roofmark.study import Protocol, Solution

_SECONDS = {"s/token": 1.0, "ms/token": 1e-3, "us/token": 1e-6}
# Chosen: soon enough for a command of a tenth of a second, then seldom enough not to disturb.
_LOOKS = (0.03, 0.1, 0.3, 1.0)
_MEMORY = "a command's processes are gone when they could be asked"
_KEEP_BYTES = 16_000
_UNSEEN = Missing(reason="the command ended before it could be looked at")


class CommandHandle:
    """One command in one process set."""

    fresh = True

    def __init__(self, solution: Solution, folder: Path, protocol: Protocol) -> None:
        """Take what to run."""
        self._solution, self._folder, self._protocol = solution, folder, protocol
        self._leg = cast(Command, solution.leg)
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._said = ""
        self._running = False
        self._seen: list[tuple[str, tuple[tuple[str, str | Missing], ...]]] = []
        self.alive = True

    def launch(self) -> None:
        """Launch nothing."""

    def start(self) -> Build:
        """Start nothing: every visit is a process of its own."""
        filled = fill(self._leg.run, {"folder": str(self._folder)})
        return program_build(self._solution, self._folder, self._leg.run, filled)

    def visit(self, load: Load, questions: Questions) -> Seen:
        """Run it once and read what it printed."""
        values = {
            "prompt": load.prompt if load.prompt > 1 or not load.generate else 0,
            "generate": load.generate,
            "concurrency": load.concurrency,
            "calls": len(questions.prompts),
        }
        texts = {name: str(value) for name, value in values.items()}
        command = fill(self._leg.run, texts | {"folder": str(self._folder)})
        result, errors = self._run(command)
        self._said = (errors + "\n" + result.output)[-_KEEP_BYTES:]
        if result.timed_out:
            raise LegFailed(TimedOut(stage="command", limit=self._protocol.call_limit))
        if result.status != 0:
            reason = f"the command ended with {ending(result.status)}"
            raise LegFailed(Crashed(stage="command", reason=reason, log=self._said))
        samples, tokens = self._read(result, load)
        return Seen(
            samples={"token": samples},
            clock="the command's own",
            calls={"token": tokens},
            absent={"memory": _MEMORY},
        )

    def ask(self, smoke: Smoke) -> SmokeAnswer | Missing:
        """Say that a command answers no prompt."""
        return Missing(reason="a command answers no prompt")

    def profile(self, load: Load, questions: Questions, tokens: int) -> LegProfile | Missing:
        """Say that a command is not profiled."""
        return Missing(reason="a command is profiled by its own tools; import its trace")

    def logits(
        self, prompt: tuple[int, ...], forced: tuple[int, ...], tokens: int
    ) -> Logits | Missing:
        """Say that a command shows no logits."""
        return Missing(reason="a command shows no logits")

    def pids(self) -> tuple[int, ...]:
        """Return the command's processes, while it runs."""
        return tuple(sorted(marked(self._mark))) if self._running else ()

    def observed(self, names: Iterable[str]) -> Observed:
        """Return everything different that was seen of its processes while they ran."""
        seen = tuple(dict.fromkeys(self._seen))
        return Observed(
            processes=tuple(line for line, _ in seen),
            environment={
                name: tuple(dict(values).get(name, _UNSEEN) for _, values in seen) for name in names
            },
        )

    def log(self) -> str:
        """Return the end of what it printed last."""
        return self._said

    def stop(self) -> str:
        """Stop nothing: it ended with its visit."""
        return "stopped"

    # --- inside ----------------------------------------------------------------------------------
    def _run(self, command: tuple[str, ...]) -> tuple[ToolResult, str]:
        """Run it with errors apart from output; look at its processes while it runs."""
        errors = self._folder / ".errors"
        apart = ("/bin/sh", "-c", 'exec "$@" 2>"$0"', str(errors), *command)
        self._running = True
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watcher.start()
        try:
            result = run_tool(
                apart,
                folder=self._folder,
                environment=dict(os.environ) | self._leg.environment | {MARK: self._mark},
                limit=self._protocol.call_limit,
                memory=None,
            )
        except OSError as error:
            reason = f"the command cannot be started: {error}"
            raise LegFailed(Crashed(stage="command", reason=reason, log="")) from error
        finally:
            self._running = False
            done.set()
            watcher.join()
        return result, errors.read_text(errors="replace")[-_KEEP_BYTES:]

    def _watched(self) -> tuple[str, ...]:
        treatment = self._solution.treatment
        declared = getattr(treatment, "environment", {})
        return tuple(dict.fromkeys((*self._leg.environment, *declared)))

    def _watch(self, done: threading.Event) -> None:
        """Look at the command's own processes a few times; the shells that start it exec it."""
        for pause in _LOOKS:
            if done.wait(pause):
                return
            for pid in marked(self._mark):
                found = observe((pid,), self._watched())
                line = found.processes[0]
                if line and not line.startswith("/bin/sh -c"):
                    values = ((name, value[0]) for name, value in found.environment.items())
                    self._seen.append((line, tuple(values)))

    def _read(self, result: ToolResult, load: Load) -> tuple[tuple[float, ...], int]:
        """Return seconds per token of each repetition, and the tokens of one."""
        try:
            if isinstance(self._leg.reads, LlamaBench):
                return read_llama_bench(result.output, load)
            return read_pattern(result.output, self._leg.reads), 1
        except ValueError as error:
            reason = f"its output does not say what was asked: {error}"
            raise LegFailed(Incorrect(build="", checks=(), reason=reason)) from error


def read_llama_bench(text: str, load: Load) -> tuple[tuple[float, ...], int]:
    """Return seconds per token of each repetition of this load's test, and its tokens.

    Raises: ValueError when there is no such test, or none with its repetitions.
    """
    if load.generate and load.prompt > 1:
        raise ValueError("llama-bench measures a prompt or generation, not both in one number")
    wanted = (0, load.generate) if load.generate else (load.prompt, 0)
    tests = [t for t in _json_rows(text) if (t.get("n_prompt"), t.get("n_gen")) == wanted]
    if len(tests) != 1:
        raise ValueError(f"{len(tests)} tests with n_prompt {wanted[0]} and n_gen {wanted[1]}")
    times = tests[0].get("samples_ns")
    if not isinstance(times, list) or not times:
        raise ValueError("samples_ns, the repetitions, are not there; use -o json")
    tokens = sum(wanted)
    found = [_positive(value) * 1e-9 / tokens for value in cast("list[object]", times)]
    return tuple(round(each, 15) for each in found), tokens


def read_pattern(text: str, pattern: Pattern) -> tuple[float, ...]:
    """Return seconds per token of every match. Raises: ValueError where there is none."""
    found = [_positive(each["value"]) for each in re.finditer(pattern.expression, text, re.M)]
    if not found:
        raise ValueError(f"nothing in it matches {pattern.expression!r}")
    if pattern.unit == "tok/s":
        return tuple(round(1 / value, 15) for value in found)
    return tuple(round(value * _SECONDS[pattern.unit], 15) for value in found)


def _json_rows(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of every JSON array or object that begins a line."""
    decoder, at = json.JSONDecoder(), 0
    for found in re.finditer(r"^[ \t]*[\[{]", text, re.M):
        if found.start() < at:
            continue
        try:
            value, at = decoder.raw_decode(text, found.end() - 1)
        except ValueError:
            continue
        rows = cast("list[Any]", value if isinstance(value, list) else [value])
        yield from (row for row in rows if isinstance(row, dict))


def _positive(value: object) -> float:
    number = float(str(value))
    if not 0 < number < float("inf"):
        raise ValueError(f"{value} is no measured amount")
    return number
