"""Examines compilers, profilers and packages: what can be built, what can be looked into.

In: tool versions, the GPU, a `Host`. Out: lines of the examination. Whether hardware counters can
be read is three questions that tools like to answer with one message: is it allowed, is it free
(DCGM holds the counters while it watches), is there a profiler at all. They are told apart here.
"""

import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata

from roofmark.bench.examination import Line
from roofmark.bench.host import Host
from roofmark.bench.ncu import refusal_in
from roofmark.evidence import Gpu
from roofmark.records import Missing
from roofmark.units import Seconds

Tools = Mapping[str, str | Missing]

# tool -> what it is for, what to do without it, what is skipped without it
_COMPILERS = {
    "g++": ("It builds C++ solutions and host code.", "apt-get install g++", "C++ solutions"),
    "nvcc": ("It builds CUDA solutions.", "Install the CUDA toolkit, or set CUDA_HOME.",
             "CUDA C++ solutions"),
    "cuobjdump": ("It shows which machine code a binary holds.",
                  "Install the CUDA toolkit (package cuda-cuobjdump).", ""),
}  # fmt: skip
_PROFILERS = {
    "ncu": ("It reads hardware counters, which say what limits a kernel.",
            "Install Nsight Compute (package nsight-compute).", "hardware counters"),
    "nsys": ("It shows host and device on one time line.",
             "Install Nsight Systems (package nsight-systems).", "time lines"),
}  # fmt: skip
_PACKAGES = {
    "torch": ("It gives tensors and references.", "pip install torch", "every measurement"),
    "triton": ("It compiles Triton solutions.", "pip install 'roofmark[triton]'",
               "Triton solutions"),
    "apache-tvm-ffi": ("It builds and loads C++ and CUDA solutions.",
                       "pip install apache-tvm-ffi", "C++ and CUDA C++ solutions"),
    "cupti-python": ("It times kernels on the device (tier kernel).",
                     "pip install 'roofmark[cuda]'", "the tier kernel"),
    "nvidia-ml-py": ("It reads clocks and throttling.", "pip install nvidia-ml-py",
                     "health readings of the GPU"),
}  # fmt: skip
GPU_ONLY = frozenset({"nvcc", "cuobjdump", "ncu", "nsys", "triton", "cupti-python", "nvidia-ml-py"})
"""What is missed only where there is a GPU."""

# Chosen: ncu starts in 2 s, and 10 s on a cold disk.
_PROBE_LIMIT: Seconds = 60.0
_METRIC = "sm__cycles_elapsed.max"
_DCGM = ("nv-hostengine", "dcgm-exporter", "dcgmi", "dcgmproftester")
_MAX_PROCESSES = 20_000


def examine_compilers(tools: Tools) -> tuple[Line, ...]:
    """Return one line per compiler."""
    return tuple(_tool(name, tools[name], told) for name, told in _COMPILERS.items())


def examine_profilers(host: Host, tools: Tools, gpu: Gpu | Missing) -> tuple[Line, ...]:
    """Return one line per profiler, and whether counters can be read."""
    lines = [_tool(name, tools[name], told) for name, told in _PROFILERS.items()]
    if isinstance(gpu, Missing) or isinstance(tools["ncu"], Missing):
        why = "no GPU here" if isinstance(gpu, Missing) else "ncu is not here"
        return (*lines, Line(state="missing", name="counters", found=f"not tried: {why}"))
    return (*lines, judge_counters(_probe(host), restricted(host), watchers(host)))


def examine_packages(gpu: Gpu | Missing) -> tuple[Line, ...]:
    """Return one line per package that a run needs."""
    python = Line(
        state="ok",
        name="python",
        found=f"{platform.python_implementation()} {platform.python_version()}",
    )
    lines = [_tool(name, _version(name), told) for name, told in _PACKAGES.items()]
    return (python, *(_without_cuda(line, gpu) for line in lines))


def judge_counters(
    output: str | Missing, admin_only: bool | Missing, watching: tuple[str, ...]
) -> Line:
    """Return what a profiled empty kernel tells about the counters.

    output: of `ncu`, or why it failed. admin_only: the driver reserves counters for
    administrators. watching: processes that hold the counters while they run.
    """
    text = output.reason if isinstance(output, Missing) else output
    if re.search(rf'roofmark_probe.*"{re.escape(_METRIC)}","[^"]*","[\d.,]+"', text):
        return Line(state="ok", name="counters", found="read from an empty kernel")
    refusal = refusal_in(text)
    if refusal == "not_permitted":
        rule = " (RmProfilingAdminOnly is 1)" if admin_only is True else ""
        found = f"not allowed{rule}: ERR_NVGPUCTRPERM"
        mend = ("Run as root, give the container CAP_SYS_ADMIN, or load the driver with "
                "NVreg_RestrictProfilingToAdminUsers=0.")  # fmt: skip
    elif refusal == "counters_held":
        held = f" by {', '.join(watching)}" if watching else " by another profiler or monitor"
        found = f"busy: held{held}"
        mend = "Pause the monitor for the run: `dcgmi profile --pause`, or stop the exporter."
    elif refusal == "nothing_matched":
        found = "ncu ran and saw no kernel"
        mend = "Run `ncu python -m roofmark.bench.driver launch` and read what it says."
    else:
        found = f"ncu failed: {text.strip()[-300:] or 'it said nothing'}"
        mend = "Run `ncu python -m roofmark.bench.driver launch`; ncu must fit the driver."
    why = "Without counters the bound is inferred from time and bytes, not seen."
    return Line(
        state="missing", name="counters", found=found, why=why, mend=mend, skips="hardware counters"
    )


def restricted(host: Host) -> bool | Missing:
    """Return whether the driver lets only administrators read counters."""
    text = host.read("proc/driver/nvidia/params")
    if isinstance(text, Missing):
        return text
    match = re.search(r"^RmProfilingAdminOnly:\s*(\d)", text, re.M)
    return match[1] == "1" if match else Missing(reason="the driver does not tell")


def watchers(host: Host) -> tuple[str, ...]:
    """Return the names of running processes that read counters themselves."""
    found: set[str] = set()
    for folder in sorted((host.root / "proc").glob("[0-9]*"))[:_MAX_PROCESSES]:
        name = host.read(f"proc/{folder.name}/comm")
        if isinstance(name, str) and name.strip() in _DCGM:
            found.add(name.strip())
    return tuple(sorted(found))


def _probe(host: Host) -> str | Missing:
    ncu = host.find("ncu")
    if isinstance(ncu, Missing):
        return ncu
    command = [str(ncu), "--csv", "--clock-control", "none", "--metrics", _METRIC]
    return host.run(
        [*command, sys.executable, "-m", "roofmark.bench.driver", "launch"], _PROBE_LIMIT
    )


def _tool(name: str, found: str | Missing, told: tuple[str, str, str]) -> Line:
    if not isinstance(found, Missing):
        return Line(state="ok", name=name, found=found)
    why, mend, skips = told
    return Line(state="missing", name=name, found=found.reason, why=why, mend=mend, skips=skips)


def _version(package: str) -> str | Missing:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return Missing(reason="not installed")


def _without_cuda(line: Line, gpu: Gpu | Missing) -> Line:
    """Warn when torch cannot use the GPU that is there."""
    if line.name != "torch" or "+cpu" not in line.found or isinstance(gpu, Missing):
        return line
    return Line(
        state="warning",
        name=line.name,
        found=f"{line.found}, built without CUDA",
        why="There is a GPU, and this torch cannot use it.",
        mend="Install torch for CUDA: https://pytorch.org/get-started/locally/",
        skips="everything on cuda",
    )
