"""What the tests of the viewer look at: folders, a run that goes on, a loop, a client."""

import shutil
import sys
import time
from pathlib import Path

from msgspec.structs import replace
from small import write_bundle as write_small
from starlette.testclient import TestClient

from roofmark.bundle import BundleWriter
from roofmark.evidence import Run, Session
from roofmark.looping.journal import Journal
from roofmark.looping.plan import PLAN
from roofmark.looping.tries import LoopPlan, Measured, Note, Try
from roofmark.records import Missing, encode_pretty
from roofmark.study import Protocol, Solution
from roofmark.testing import (
    simulated_build,
    simulated_traces,
    small_environment,
    small_study,
    source_text,
    write_bundle,
)
from roofmark.viewing.app import make_app
from roofmark.viewing.shelf import Shelf

ADDRESS = "http://127.0.0.1:8765"
ABSENT = Missing(reason="not measured")
PROTOCOL = Protocol(blocks=2, calls=2)


def write_sealed(folder: Path) -> Path:
    """Seal monday, tuesday (slower kernel), other (another study); copy monday."""
    fast = Solution("fast", "fast.cu::rmsnorm", target="sm_90a")
    study = small_study((fast, "slow"), workloads=(1, 4096), protocol=PROTOCOL)
    for seed, (name, ratio) in enumerate((("monday", 2.0), ("deep/tuesday", 1.5))):
        traces = simulated_traces(study, ratios={"fast": ratio, "slow": 0.8}, seed=seed)
        write_bundle(folder / name, study, traces, small_environment())
    write_small(folder / "other")
    shutil.copytree(folder / "monday", folder / "monday-copy")
    return folder


def open_viewer(folder: Path, cache: Path):
    """Return (shelf, client) of a folder when everything in it is judged."""
    shelf = Shelf(folder, cache=cache)
    shelf.start()
    shelf.settled()
    return shelf, TestClient(make_app(shelf), base_url=ADDRESS, follow_redirects=False)


class Bench:
    """A run in small steps."""

    def __init__(self, folder: Path) -> None:
        self.study = small_study(("fast",), workloads=(1, 4096), protocol=PROTOCOL)
        self.writer = BundleWriter(folder)
        solutions = (*self.study.solutions, *self.study.wrong)
        paths = {path for each in solutions for path in each.files} | {"reference.py"}
        files = {path: self.writer.write_source(source_text(path)) for path in sorted(paths)}
        unfinished = Missing(reason="it runs")
        now = Session(started=time.time(), roofmark="0", ended=unfinished, seconds=unfinished)
        run = Run(device="cuda", entropy="00", confirmation=False, skipped=(), sessions=(now,))
        self.writer.write("environment.json", small_environment())
        self.writer.write("run.json", run)
        self.writer.write("study.json", replace(self.study, files=files))
        for each in solutions:
            self.writer.write_build(simulated_build(self.study, each.name, "cuda"))
        self.left = simulated_traces(self.study, ratios={"fast": 2.0}, processes=8)

    def go(self, sets: int) -> None:
        """Let so many sets of processes end."""
        until = self.left[0].process + sets
        while self.left and self.left[0].process < until:
            self.writer.append(self.left.pop(0))

    def seal(self) -> None:
        """End the run."""
        self.go(99)
        self.writer.seal({})
        self.writer.close()


def run_slowly(folder: str, pause: str) -> None:
    """Run in a process of its own, which a test may kill."""
    bench = Bench(Path(folder))
    while bench.left:
        bench.go(1)
        time.sleep(float(pause))
    bench.seal()


def begin_loop(folder: Path) -> Journal:
    """Write what a loop begins with, and its first try."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = LoopPlan(
        source="s", file="study.py", study="0", solution="fast", device="cuda", workloads=(),
        margin=0.02, group_margin=0.02, alpha=0.05,
    )  # fmt: skip
    (folder / PLAN).write_bytes(encode_pretty(plan))
    journal = Journal(folder)
    journal.append(a_try(1, "build_failed"))
    return journal


def a_try(number: int, ending: str, ratio: float | None = None) -> Try:
    """Return a try; with a ratio, it was measured."""
    measured = ABSENT
    if ratio is not None:
        measured = Measured(
            bundle="0" * 64, decision="faster", speedup=ABSENT, ratio=ratio, level=0.99,
            processes=6, workloads=2, codes=(), seconds=3.0,
        )  # fmt: skip
    return Try(
        number=number, against=0, ending=ending, reason="nvcc said <no>", params={},
        note=Note(hypothesis="more <b>warps</b>"), diff="-a\n+b\n", fingerprint="",
        binary=ABSENT, same_as=ABSENT, first=measured, confirmation=measured, seconds=2.0,
        device_seconds=1.0,
    )  # fmt: skip


if __name__ == "__main__":
    run_slowly(*sys.argv[1:3])
