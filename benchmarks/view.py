"""How soon does `roofmark view` show 1,000 bundles, cold and warm?

    python benchmarks/view.py [BUNDLES] [--folder FOLDER]

Writes the synthetic bundles of history.py (1,000 by default) into FOLDER, or a temporary one, and
starts the command, each time in a process of its own: without an index (cold), with it (warm).
Prints the seconds from the start of the process to the address, to the first whole page, until
every bundle is judged; then medians of what the pages of one session take, and the largest memory.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from history import write

COMMAND = [sys.executable, "-c", "from roofmark.cli import console; console()", "view"]


def get(address: str, path: str = "/") -> str:
    """Return a page."""
    with urllib.request.urlopen(address.rstrip("/") + path, timeout=600) as answer:
        return answer.read().decode()


def median_of(address: str, path: str, times: int = 9) -> str:
    """Return the median milliseconds and the largest of a page that was asked for once before."""
    get(address, path)
    taken: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        get(address, path)
        taken.append(1e3 * (time.perf_counter() - start))
    return f"{sorted(taken)[times // 2]:6.1f} ms, largest {max(taken):.1f} ms"


def session(name: str, folder: Path, cache: Path, *, pages: bool = False) -> None:
    """Start the command and print when it showed what."""
    start = time.perf_counter()
    with subprocess.Popen(
        [*COMMAND, str(folder), "--no-open", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        listening = time.perf_counter() - start
        page = get(address)
        first = time.perf_counter() - start
        while "are being judged" in page:
            time.sleep(0.1)
            page = get(address)
        whole = time.perf_counter() - start
        print(
            f"{name:<6} address {listening:5.2f} s  first page {first:5.2f} s  "
            f"all judged {whole:5.2f} s",
            flush=True,
        )
        if pages:
            show_pages(address, page)
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        print(f"{'':6} peak memory {int(peak[1]) / 1024 if peak else 0:.0f} MiB", flush=True)
        process.send_signal(signal.SIGINT)
        start = time.perf_counter()
        process.wait(60)
        print(f"{'':6} Ctrl-C to its end {time.perf_counter() - start:.2f} s", flush=True)


def show_pages(address: str, page: str) -> None:
    """Print how long each kind of page takes."""
    names = re.findall(r'<tr data-name="([^"]+)"', page)[:2]
    a, b = names
    cell = urlencode({"at": a, "workload": "n4096", "solution": "fast"})
    for what, path in (
        ("list", "/"),
        ("list, filtered", "/?text=00&verdict=faster&sort=speedup"),
        ("bundle", f"/bundle?{urlencode({'at': a})}"),
        ("samples", f"/cell?{cell}"),
        ("source and proof", f"/solution?{urlencode({'at': a, 'solution': 'fast'})}"),
        ("comparison", f"/compare?{urlencode([('with', a), ('with', b)])}"),
    ):
        print(f"{'':6} {what:<18} {median_of(address, path)}", flush=True)


def main(count: int, folder: Path, scratch: Path) -> None:
    """Write the bundles and print what looking at them takes."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write, folder), range(count), chunksize=32))
    print(f"{count} bundles, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    time.sleep(3)  # bundles that are younger than two seconds are read again each time
    session("cold", folder, scratch / "cache")
    session("warm", folder, scratch / "cache", pages=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        main(asked.count, asked.folder or Path(scratch, "bundles"), Path(scratch))
