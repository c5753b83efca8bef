"""Forged bundles by the thousand: does every reader answer, or refuse with a clear error?

In: a sealed bundle, a seed, a time. Out: a table: command by outcome, the slowest and the largest
reading, and each failure (an exception that is no RoofmarkError, a text that drives a terminal)
with the seed that makes it again. Exit code 1 where there is one.

    python benchmarks/hostile_files.py evidence/2026-11-21-gdn-decode-cpu --seconds 60
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Not beside this file: a benchmark there has the name of a standard module.
sys.path[0] = str(ROOT / "tests" / "adversarial")

from forging import READERS, forge, read_files, write_forged  # noqa: E402

from roofmark.errors import RoofmarkError  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=10**9)
    chosen = parser.parse_args()
    files, seen, failures, slowest = read_files(chosen.bundle), Counter(), [], {}
    end, seed = time.monotonic() + chosen.seconds, chosen.seed
    while time.monotonic() < end and seed < chosen.seed + chosen.rounds:
        with tempfile.TemporaryDirectory() as folder:
            _try(Path(folder), files, seed, seen, failures, slowest)
        seed += 1
    for (name, outcome), count in sorted(seen.items()):
        print(f"{name:10s} {outcome:28s} {count:6d}")
    for name, (seconds, which) in sorted(slowest.items()):
        print(f"slowest {name}: {seconds:.2f} s (seed {which})")
    print(f"{seed - chosen.seed} forged bundles, {len(failures)} failures")
    for failure in failures[:20]:
        print(failure)
    return 1 if failures else 0


def _try(folder, files, seed, seen, failures, slowest):
    forged, what = forge(files, random.Random(seed))
    path = write_forged(folder / "forged", forged)
    for name, reader in READERS.items():
        began = time.monotonic()
        try:
            reader(path, folder)
            outcome = "answered"
        except RoofmarkError as error:
            outcome = error.code
        except Exception as error:
            outcome = f"FAILED {type(error).__name__}"
            trace = traceback.format_exc().splitlines()
            failures.append(f"--- seed {seed}, {name}: {what}\n" + "\n".join(trace[-7:]))
        seen[name, outcome] += 1
        took = time.monotonic() - began
        if took > slowest.get(name, (0.0, 0))[0]:
            slowest[name] = took, seed


if __name__ == "__main__":
    sys.exit(main())
