"""Case data: the input files of docs/cases that are made from published figures, not copied.

In: the figures, below. Out: files in docs/cases/data; the same bytes every time.

python tools/case_data.py [FOLDER]
"""

import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Source: medians of 50 launches, GB10, wo-k-parallel/timing/{4,8,16,32}cta/timing.csv.
MEDIANS = {4: 13713.54, 8: 5164.35, 16: 2677.15, 32: 1628.06}
# Source: a second session of 50 launches that throttled from launch 35 on: its mean moved by 17 %,
# its median by 0.2 %. Chosen: samples spread by 0.2 % around each level, by a fixed seed.
LAUNCHES, THROTTLED, MEAN_MOVED, MEDIAN_MOVED, SPREAD = 50, 35, 1.17, 1.002, 0.002
# Source: wo_split=8 in wo-k-parallel/summary.md, whose table calls the first "% peak DRAM".
COUNTERS = (
    ("Memory Workload Analysis", "Max Bandwidth", "%", "55.95"),
    ("Memory Workload Analysis", "Mem Busy", "%", "57.67"),
    ("Memory Workload Analysis", "L1/TEX Hit Rate", "%", "50.7"),
    ("Memory Workload Analysis", "L2 Hit Rate", "%", "97.6"),
    ("Memory Workload Analysis", "Mem Pipes Busy", "%", "2.34"),
    ("Compute Workload Analysis", "SM Busy", "%", "6.51"),
)
# Source: six published runs of one binary at batch 1, microseconds.
SIX = (11.7, 11.4, 11.1, 15.9, 15.6, 16.0)


def sessions() -> dict[str, str]:
    """Return two sessions of four legs; the second throttles."""
    rng = random.Random(7)
    # The mean over both levels is MEAN_MOVED times the first session's.
    share = 1 - THROTTLED / LAUNCHES
    jump = (MEAN_MOVED - MEDIAN_MOVED * (1 - share)) / share
    found: dict[str, str] = {}
    for name, moved in (("first", (1.0, 1.0)), ("second", (MEDIAN_MOVED, jump))):
        for ctas, median in MEDIANS.items():
            level = [median * moved[launch >= THROTTLED] for launch in range(LAUNCHES)]
            rows = [f"{n},{us * rng.gauss(1, SPREAD):.2f}" for n, us in enumerate(level)]
            found[f"{name}/{ctas}cta.csv"] = "\n".join(["launch_idx,elapsed_us", *rows]) + "\n"
    return found


def counters() -> str:
    """Return ncu's details page as CSV, with one kernel; names of host and process are ours."""
    kernel = {
        "ID": "0",
        "Process ID": "1",
        "Process Name": "python3",
        "Host Name": "127.0.0.1",
        "Kernel Name": "wo_gemv_kernel",
        "Context": "1",
        "Stream": "7",
        "Block Size": "(128, 1, 1)",
        "Grid Size": "(8, 4, 1)",
        "Device": "0",
        "CC": "12.1",
    }
    head = [*kernel, "Section Name", "Metric Name", "Metric Unit", "Metric Value"]
    rows = [[*kernel.values(), *each] for each in COUNTERS]
    return "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in (head, *rows))


def six_runs() -> str:
    """Return six runs, without a reference in any of them."""
    rows = [f"{n},0,decode,1,PASSED,{us}" for n, us in enumerate(SIX, 1)]
    return "run,workload_index,workload,batch_size,status,latency_us\n" + "\n".join(rows) + "\n"


def texts() -> dict[str, str]:
    """Return every file that is made, by name."""
    return {**sessions(), "split8-details.csv": counters(), "six-runs.csv": six_runs()}


def main(arguments: list[str]) -> None:
    """Write them."""
    folder = Path(arguments[0]) if arguments else ROOT / "docs/cases/data"
    for name, text in texts().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
