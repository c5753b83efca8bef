"""Run one call of every CUDA solution of a bundle under NVIDIA's compute-sanitizer.

    python tools/sanitize.py BUNDLE [--tool memcheck] [-w PATTERN] [-s NAME] [--limit SECONDS]

In: a sealed bundle of a run on a GPU. Out: a line per solution, workload and tool; exit code 0 when
all are clean, 1 when a tool found something or a call failed, 2 when it could not be asked. The
sources are the bundle's own, built as they were for the measurement.
"""

import argparse
import shutil
import sys
from pathlib import Path

from roofmark.bench.profile_job import Called
from roofmark.bench.profile_run import Ran, run_child, start_child
from roofmark.bench.scratch import open_scratch
from roofmark.bundle import open_bundle
from roofmark.errors import RoofmarkError
from roofmark.options import ProfileOptions
from roofmark.profiled import Refused
from roofmark.profiling.pairs import choose_pairs
from roofmark.profiling.shop import Shop

TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
# Chosen: no program of ours ends with it, so it can only be the sanitizer's.
FOUND = 97
_LINES = 12


def main() -> int:
    """Check every pair with every tool that was asked for."""
    asked = _arguments()
    program = shutil.which("compute-sanitizer") or shutil.which(
        "/usr/local/cuda/bin/compute-sanitizer"
    )
    if program is None:
        print("compute-sanitizer is not on PATH; it comes with the CUDA toolkit", file=sys.stderr)
        return 2
    options = ProfileOptions(workloads=tuple(asked.workload), solutions=tuple(asked.solution))
    try:
        bundle = open_bundle(asked.bundle)
        pairs = [p for p in choose_pairs(bundle, options) if p.solution.language == "cuda"]
    except RoofmarkError as error:
        print(error, file=sys.stderr)
        return 2
    if not pairs:
        print("no CUDA solution was found right there: nothing was checked", file=sys.stderr)
        return 2
    clean = True
    with open_scratch() as scratch:
        shop = Shop(bundle, scratch)
        for pair in pairs:
            for tool in asked.tool or TOOLS[:2]:
                prefix = (program, "--tool", tool, "--error-exitcode", str(FOUND))
                folder = scratch / pair.solution.name / pair.workload.id / tool
                try:
                    job = shop.job(pair)
                    ran = run_child(start_child, prefix, "count", job, folder, asked.limit)
                    verdict, log = _read(ran)
                except Refused as refused:
                    verdict, log = f"not checked: {refused.reason}", ""
                print(f"{tool:10} {pair.label}: {verdict}{log}", flush=True)
                clean = clean and verdict == "clean"
    return 0 if clean else 1


def _read(ran: Ran) -> tuple[str, str]:
    """Return a word, and the end of the log where it is not "clean"."""
    end = "".join(f"\n    {line}" for line in ran.tool.output.splitlines()[-_LINES:])
    if ran.tool.timed_out:
        return "not finished in time", end
    if ran.tool.status == FOUND:
        return "FOUND", end
    if ran.tool.status != 0 or not isinstance(ran.answer, Called):
        return "the call failed", end
    return "clean", ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--tool", action="append", choices=TOOLS, default=[])
    parser.add_argument("-w", "--workload", action="append", default=[])
    parser.add_argument("-s", "--solution", action="append", default=[])
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one call")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
