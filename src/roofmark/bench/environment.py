"""The machine, its software and its ceilings, in one record.

In: the device of the run, the study's folder, the ceilings measured before. Out: `Environment`, in
which every gap has its reason. Nothing here creates a CUDA context or imports torch, so the process
that orchestrates a run stays out of the way of those it measures.
"""

import platform
from pathlib import Path

from roofmark.bench.cage import offered
from roofmark.bench.cpu import collect_cpu
from roofmark.bench.gpu import collect_gpu
from roofmark.bench.host import Host
from roofmark.bench.software import (
    collect_git,
    collect_packages,
    collect_tools,
    collect_variables,
)
from roofmark.evidence import Ceiling, Environment
from roofmark.records import Missing
from roofmark.study import Device


def collect_environment(
    device: Device,
    folder: Path,
    ceilings: tuple[Ceiling, ...],
    *,
    host: Host | None = None,
) -> Environment:
    """Read everything that describes this machine; `folder` is the study's.

    On "cpu" the GPU is left asleep: it is Missing with that reason.
    """
    host = host or Host()
    asleep = Missing(reason="not asked: this run measures the CPU")
    return Environment(
        device=device,
        cpu=collect_cpu(host),
        gpu=collect_gpu(host) if device == "cuda" else asleep,
        os=read_os(host),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=collect_packages(),
        tools=collect_tools(host),
        variables=collect_variables(host),
        git=collect_git(host, folder),
        ceilings=ceilings,
        isolation=offered(),
    )


def read_os(host: Host) -> str:
    """Return the distribution (if it names itself), the kernel and the machine type."""
    release = host.read("etc/os-release")
    lines = [] if isinstance(release, Missing) else release.splitlines()
    pretty = [line.partition("=")[2].strip("\"'") for line in lines if line[:12] == "PRETTY_NAME="]
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{pretty[0]}, {kernel}" if pretty and pretty[0] else kernel
