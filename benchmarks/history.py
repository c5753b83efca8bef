"""How long does `roofmark log` take over many bundles, from a cold and from a warm cache?

    python benchmarks/history.py [BUNDLES]

Writes small synthetic bundles (1,000 by default: one study, a new commit each)
into a temporary folder, then reads their history twice, each in a process of its own.
Prints seconds and peak memory of each.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec.structs import replace

from roofmark.evidence import Git
from roofmark.study import Protocol
from roofmark.testing import simulated_traces, small_environment, small_study, write_bundle

READ = """
import resource, sys, time
from pathlib import Path
start = time.time()
from roofmark.remembering import read_history
from roofmark.reports.history import history_text
history = read_history(Path(sys.argv[1]), cache=Path(sys.argv[2]))
text = history_text(history)
steps = sum(len(line.steps) for line in history.lines)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{steps} bundles in {len(history.lines)} lines: {time.time() - start:.2f} s, {peak:.0f} MiB")
"""


def main(count: int) -> None:
    """Write the bundles and print what reading them took."""
    study = small_study(workloads=(1, 4096), protocol=Protocol(blocks=2, calls=2))
    # A sealed bundle is synced to disk file by file, which is no part of the question.
    os.fsync = lambda _: None
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            git = Git(commit=f"{number:040x}", dirty=False)
            traces = simulated_traces(study, ratios={"fast": 2.0}, seed=number)
            environment = replace(small_environment(), git=git)
            write_bundle(Path(folder, "bundles", f"{number:05}"), study, traces, environment)
        for name in ("cold", "warm"):
            done = subprocess.run(
                [sys.executable, "-c", READ, f"{folder}/bundles", f"{folder}/cache"],
                check=True,
                capture_output=True,
                text=True,
            )
            print(f"{name}: {done.stdout.strip()}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
