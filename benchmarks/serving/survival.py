"""Engines that raise, die, hang, eat memory or are none: each must end its own leg and no other.

    python benchmarks/serving/survival.py

Runs one study of in-process legs (about a minute on two cores) and prints what became of each, and
whether a process of the run is left. Exit code 1 if any ended otherwise than it should.
"""

import os
import sys
import tempfile
from pathlib import Path

from roofmark import api
from roofmark.evidence import Crashed, Passed, TimedOut
from roofmark.options import RunOptions

ENGINES = """
import os, time
import torch


class Toy:
    def __init__(self, bad=""):
        self.bad, self.count, self.logits = bad, 0, torch.zeros(9)

    def reset(self):
        self.count = 0

    def prefill(self, ids):
        return sum(ids) % 9

    def step(self):
        self.count += 1
        time.sleep(0.002)
        if self.count > 3 and self.bad:
            getattr(self, self.bad)()
        return self.count % 9

    def raises(self):
        raise RuntimeError("CUDA out of memory")

    def dies(self):
        os._exit(3)

    def hangs(self):
        time.sleep(1000)

    def eats(self):
        self.kept = [bytearray(2**28) for _ in range(40)]
        time.sleep(5)


def good(device):
    return Toy()


def raises(device):
    return Toy("raises")


def dies(device):
    return Toy("dies")


def hangs(device):
    return Toy("hangs")


def eats(device):
    return Toy("eats")


def none(device):
    return object()
"""
STUDY = """
import roofmark as rm

study = rm.Study(
    definition=rm.engine("survival"),
    workloads=[rm.load(prompt=4, generate=8)],
    solutions=[
        rm.Solution(name, f"engines.py::{name}", leg=rm.Engine(vocabulary=9))
        for name in ("good", "raises", "dies", "hangs", "eats", "none")
    ],
    baseline="good",
    serving=rm.Serving(compare=0, profile=0),
    protocol=rm.Protocol(
        tier="token", cache="warm", processes=(2, 2), blocks=2, calls=2, time_limit=300.0,
        call_limit=8.0, memory_limit=2**30,
    ),
)
"""
EXPECTED = {
    "good": (Passed, ""),
    "good~twin": (Passed, ""),
    "raises": (Crashed, "CUDA out of memory"),
    "dies": (Crashed, "exit code 3"),
    "hangs": (TimedOut, ""),
    "eats": (Crashed, "GiB of memory"),
    "none": (Crashed, "without prefill and step()"),
}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "engines.py").write_text(ENGINES)
        (folder / "study.py").write_text(STUDY)
        bundle = api.run(folder, folder / "out", options=RunOptions(device="cpu"))
    wrong = 0
    for trace in bundle.traces():
        kind, says = EXPECTED[trace.solution]
        reason = getattr(trace.outcome, "reason", "")
        right = isinstance(trace.outcome, kind) and says in reason
        wrong += not right
        mark = "as it should" if right else "WRONG"
        print(f"{trace.solution:>10}: {type(trace.outcome).__name__} {reason} ({mark})")
    left = [p for p in Path("/proc").glob("[0-9]*") if is_ours(p)]
    print(f"{len(left)} processes of the run are left")
    return 1 if wrong or left else 0


def is_ours(process: Path) -> bool:
    mark = f"ROOFMARK_CHILD={os.getpid()}-".encode()
    try:
        return mark in (process / "environ").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
