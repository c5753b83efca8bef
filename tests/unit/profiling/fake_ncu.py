#!/usr/bin/env python3
"""ncu as the tests need it: a good table, or one of the ways in which it fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

NAMES = (
    "gpu__time_duration.sum",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed",
    "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
    "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed",
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
)
FIRST = ("ID", "Process ID", "Process Name", "Host Name", "Kernel Name", "Context", "Stream",
         "Block Size", "Grid Size", "Device", "CC")  # fmt: skip
# As ncu writes them: the duration in nanoseconds with commas, then four shares in percent.
SCALE = ("void <unnamed>::scale<float, (int)4>(const float *, float *, long)", "(132, 1, 1)",
         ("14,016", "12.50", "71.07", "71.20", "0"))  # fmt: skip
SUM = ("reduce_sum", "(8, 1, 1)", ("6,912", "8", "30.1", "31", "0.00"))
ERRORS = {
    "permission": "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA "
    "GPU Performance Counters on the target device 0.",
    "held": "==ERROR== Profiling failed because a driver resource was unavailable. Ensure that no "
    "other tool (like DCGM) is concurrently collecting profiling data.",
    "metric": "==ERROR== Failed to find metric sm__throughput.avg.pct_of_peak_sustained_elapsed",
    "unmatched": "==WARNING== No kernels were profiled.",
    "broken": "==ERROR== LaunchFailed",
}


def rows(scenario, most):
    launches = [SCALE, SUM]
    if scenario == "renamed":
        launches = [SCALE, ("reduce_max", *SUM[1:])]
    if scenario == "regridded":
        launches = [SCALE, (SUM[0], "(16, 1, 1)", SUM[2])]
    if scenario == "more":
        launches = [SCALE, SUM, SUM]
    if scenario == "slow":
        launches = [(*SCALE[:2], ("604,900", *SCALE[2][1:])), SUM]
    if scenario == "nan":
        launches = [(name, grid, (values[0], "nan", "n/a", "", "n/a"))
                    for name, grid, values in launches]  # fmt: skip
    if scenario == "one nan":
        launches = [SCALE, (*SUM[:2], ("6,912", "8", "n/a", "31", "0"))]
    if scenario == "short":
        launches = [SCALE]
    if scenario == "empty":
        launches = []
    yield quoted((*FIRST, *NAMES))
    yield quoted(("",) * len(FIRST) + ("ns", "%", "%", "%", "%"))
    for number, (name, grid, values) in enumerate(launches[:most]):
        first = (str(number), "611", "python3.12", "127.0.0.1", name, "1", "7", "(256, 1, 1)",
                 grid, "0", "9.0")  # fmt: skip
        yield quoted((*first, *values))


def quoted(cells):
    return ",".join(f'"{cell}"' for cell in cells)


def main():
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print("NVIDIA (R) Nsight Compute Command Line Profiler\nVersion 2025.3.1.0 (fake)")
        return 0
    scenario = os.environ["FAKE_NCU"]
    kernel_replay = arguments[arguments.index("--replay-mode") + 1] == "kernel"
    if scenario == "hangs alone":
        scenario = "hang" if kernel_replay else "good"
    if seen := os.environ.get("FAKE_NCU_SEEN"):
        with Path(seen).open("a") as file:
            file.write(" ".join(arguments) + "\n")
    log = Path(arguments[arguments.index("--log-file") + 1])
    most = int(arguments[arguments.index("--launch-count") + 1])
    if scenario == "hang":
        # A child in a session of its own, as a profiler's target may be.
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        Path(os.environ["FAKE_NCU_CHILD"]).write_text(str(child.pid))
        time.sleep(600)
    program = arguments[arguments.index(sys.executable) :]
    done = subprocess.run(program, check=False)
    lines = ["==PROF== Connected to process 611 (/usr/bin/python3.12)"]
    if scenario in ERRORS:
        lines.append(ERRORS[scenario])
    elif done.returncode:
        lines.append(f"==ERROR== The application returned an error code ({done.returncode}).")
        lines.append("==WARNING== No kernels were profiled.")
    else:
        lines.append("==PROF== Disconnected from process 611")
        lines += rows(scenario, most)
    if scenario == "silent":
        return 0
    text = "\n".join(lines) + "\n"
    log.write_text(text[:-40] if scenario == "cut" else text)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
