"""Examines the machine: what is here, what is missing, what would disturb a measurement.

In: this machine (a `Host`). Out: `Examination`; nothing is printed, nothing is changed. Without a
GPU it takes under a second; with one and `ncu` a single empty kernel is profiled, because only
that tells whether counters can be read.
"""

from collections.abc import Callable

from roofmark.bench.doctor_device import examine_device
from roofmark.bench.doctor_host import examine_isolation, examine_processor, examine_space
from roofmark.bench.doctor_tools import (
    GPU_ONLY,
    examine_compilers,
    examine_packages,
    examine_profilers,
)
from roofmark.bench.driver import DriverDevice, query_driver
from roofmark.bench.examination import Examination, Section
from roofmark.bench.gpu import collect_gpu
from roofmark.bench.host import Host
from roofmark.bench.software import collect_tools
from roofmark.records import Missing


def examine(
    *, host: Host | None = None, query: Callable[[], DriverDevice | Missing] = query_driver
) -> Examination:
    """Look at everything that a run depends on."""
    host = host or Host()
    gpu = collect_gpu(host, query)
    tools = collect_tools(host)
    sections = (
        Section(title="Device", lines=examine_device(host, gpu)),
        Section(title="Compilers", lines=examine_compilers(tools)),
        Section(title="Profilers", lines=examine_profilers(host, tools, gpu)),
        Section(title="Packages", lines=examine_packages(gpu)),
        Section(title="Processor", lines=examine_processor(host)),
        Section(title="Space", lines=examine_space(host)),
        Section(title="Isolation", lines=examine_isolation(host)),
    )
    skipped = [
        f"{line.skips}: {line.name}: {line.found}"
        for section in sections
        for line in section.lines
        if line.skips and line.state != "ok"
        # Without a GPU one line says all: nothing on cuda.
        if not (isinstance(gpu, Missing) and line.name in GPU_ONLY)
    ]
    return Examination(sections=sections, skipped=tuple(skipped))
