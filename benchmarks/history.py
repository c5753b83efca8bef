"""How long do `roofmark log` and `roofmark query` take over many bundles, cold and warm?

    python benchmarks/history.py [BUNDLES] [--folder FOLDER]

Writes small synthetic bundles (10,000 by default: one study, a new commit each) into FOLDER, or a
temporary one; what is there already stays. Then runs the command line, each time in a process of
its own: without an index (cold), with it (warm), and after one more bundle. Prints seconds, CPU
seconds of all its processes, the largest process's peak memory, and the size of the index.
"""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from roofmark.evidence import Git
from roofmark.study import Protocol
from roofmark.testing import simulated_traces, small_environment, small_study, write_bundle

ROOFMARK = [sys.executable, "-c", "from roofmark.cli import console; console()"]
VERDICTS = "SELECT decision, count(*), median(speedup) FROM verdicts GROUP BY ALL"
SAMPLES = "SELECT solution, tier, count(*), quantile_cont(seconds, 0.99) FROM samples GROUP BY ALL"


def write(folder: Path, number: int) -> None:
    """Write one bundle, unless it is there."""
    place = folder / f"{number:05}"
    if place.exists():
        return
    # A sealed bundle is synced to disk file by file, which is no part of the question.
    os.fsync = lambda _: None
    study = small_study(workloads=(1, 4096), protocol=Protocol(blocks=2, calls=2))
    traces = simulated_traces(study, ratios={"fast": 2.0}, seed=number)
    git = Git(commit=f"{number:040x}", dirty=False)
    write_bundle(place, study, traces, replace(small_environment(), git=git))


def measure(name: str, cache: Path, arguments: list[str]) -> None:
    """Run a command and print what it took."""
    start = time.perf_counter()
    with (cache.parent / "out").open("wb") as out:
        environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
        process = os.posix_spawn(
            sys.executable,
            [*ROOFMARK, *arguments],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)],
        )
        _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - start
    size = sum(each.stat().st_size for each in cache.rglob("*") if each.is_file())
    failed = "" if status == 0 else f"  FAILED ({status})"
    print(
        f"{name:<28} {wall:7.1f} s  {used.ru_utime + used.ru_stime:7.1f} CPU s  "
        f"{used.ru_maxrss / 1024:6.0f} MiB  index {size / 2**20:6.0f} MiB{failed}",
        flush=True,
    )


def main(count: int, folder: Path, scratch: Path) -> None:
    """Write the bundles and print what asking about them took."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write, folder), range(count), chunksize=32))
    print(f"{count} bundles, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    time.sleep(3)  # bundles that are younger than two seconds are read again each time
    for_log, for_query = scratch / "log", scratch / "query"
    log, query = ["log", str(folder)], ["query", VERDICTS, str(folder)]
    for each in (for_log, for_query):
        each.mkdir()
    measure("log, cold", for_log, log)
    measure("log, warm", for_log, log)
    measure("query, cold", for_query, query)
    measure("query verdicts, warm", for_query, query)
    measure("query samples, warm", for_query, ["query", SAMPLES, str(folder)])
    measure("query, cold after a log", for_log, query)
    write(folder, count)
    time.sleep(3)
    measure("log, one more bundle", for_log, log)
    measure("query, one more bundle", for_query, query)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        main(asked.count, asked.folder or Path(scratch, "bundles"), Path(scratch))
