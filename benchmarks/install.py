"""What `pip install roofmark` pulls in, and how fast `--help` answers beside two peers.

Each program is installed into a throw-away environment of its own, from the wheel that this tree
builds and from whatever index pip is set up for. Sizes are those of the files that each package's
RECORD lists, as they lie on the disk. Times are of whole processes on two cores, after one that
fills the caches of the file system.

    python benchmarks/install.py [--first "torch==2.13.0"] [--runs 15] [--no-peers] [--keep FOLDER]

--first: installed before, so that pip takes it (a torch for CPUs). Target: `roofmark --help` in
less than 0.3 s on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = {"flashinfer-bench": "flashinfer-bench", "asv": "asv"}
TARGET = 0.3
SIZES = """
import importlib.metadata as m, json, pathlib
found = {}
for each in m.distributions():
    files = [pathlib.Path(each.locate_file(f)) for f in each.files or ()]
    found[each.name] = [each.version, sum(f.stat().st_size for f in files if f.is_file())]
print(json.dumps(found))
"""


def new_environment(folder: Path) -> Path:
    """Make an empty environment; return its bin."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin"


def install(bin_: Path, *what: str) -> float:
    """Install with pip; return the seconds it took."""
    begin = time.monotonic()
    subprocess.run([bin_ / "python", "-m", "pip", "install", "--quiet", *what], check=True)
    return time.monotonic() - begin


def sizes(bin_: Path) -> dict[str, tuple[str, int]]:
    """Return name -> version and bytes of everything installed, but what every environment has."""
    out = subprocess.run([bin_ / "python", "-c", SIZES], check=True, capture_output=True, text=True)
    found = json.loads(out.stdout)
    return {name: tuple(v) for name, v in found.items() if name not in ("pip", "setuptools")}


def help_times(program: Path, runs: int) -> list[float]:
    """Return the seconds of each `--help`."""
    taken = []
    for _ in range(runs + 1):
        begin = time.perf_counter()
        subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begin)
    return taken[1:]


def median(values: list[float]) -> float:
    """Return the middle one (`statistics` is another benchmark's name here)."""
    return sorted(values)[len(values) // 2]


def wheel(folder: Path) -> Path:
    """Build the wheel of this tree."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("roofmark-*.whl"))


def print_sizes(found: dict[str, tuple[str, int]]) -> None:
    """Print the largest first."""
    for name, (version, size) in sorted(found.items(), key=lambda each: -each[1][1]):
        print(f"  {size / 1e6:9.1f} MB  {name} {version}")
    total = sum(size for _, size in found.values())
    without = total - found.get("torch", ("", 0))[1]
    print(f"  {total / 1e6:9.1f} MB  {len(found)} packages; {without / 1e6:.1f} MB without torch")


def print_times(name: str, taken: list[float]) -> None:
    """Print one program's, and whether ours is where it should be."""
    met = "met" if median(taken) < TARGET else "missed"
    told = f"  target {TARGET} s: {met}" if name == "roofmark" else ""
    print(f"  {name:18} median {median(taken):.3f}, {min(taken):.3f} to {max(taken):.3f}{told}")


def main() -> None:
    """Install, list, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", default="", help="install this before roofmark")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--keep", type=Path, help="leave roofmark's environment here")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        built = wheel(scratch)
        bin_ = new_environment(options.keep or scratch / "roofmark")
        if options.first:
            install(bin_, options.first)
        seconds = install(bin_, str(built))
        print(f"{built.name}: {built.stat().st_size / 1e6:.2f} MB; pip took {seconds:.0f} s")
        print_sizes(sizes(bin_))
        programs = {"roofmark": bin_ / "roofmark"}
        for package, program in {} if options.no_peers else PEERS.items():
            other = new_environment(scratch / package)
            if options.first and package == "flashinfer-bench":
                install(other, options.first)
            install(other, package)
            programs[package] = other / program
        print(f"\n`--help`, {options.runs} runs on {len(os.sched_getaffinity(0))} cores, seconds")
        for each, program in programs.items():
            print_times(each, help_times(program, options.runs))


if __name__ == "__main__":
    main()
