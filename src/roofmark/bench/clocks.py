"""Clocks and load between visits: what the machine did while a sample was taken.

In: NVML for a GPU, /proc for a CPU. Out: one `GpuReading` or `CpuReading` per visit, or Missing
with the reason when the machine does not tell (a container without /proc/stat, a board without a
power sensor): a reading is whole or absent, never half made up.

    reader = open_clock_reader("cpu")
    reader.start(worker_pid)          # before a visit
    reading = reader.read(at)         # after it: what happened in between
"""

import re
from typing import Any

from roofmark.bench.cpu import parse_load
from roofmark.bench.driver import query_driver
from roofmark.bench.gpu import find_device
from roofmark.bench.host import Host
from roofmark.bench.nvml import Nvml
from roofmark.evidence import CpuReading, GpuReading
from roofmark.records import Missing, Record
from roofmark.study import Device
from roofmark.units import Seconds

# Source: nvml.h (NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU).
_CLOCK_SM = 1
_CLOCK_MEMORY = 2
_TEMPERATURE_GPU = 0


class Ticks(Record):
    """CPU time of all cores since boot, in clock ticks."""

    total: int
    stolen: int


class Counters(Record):
    """What only ever grows: CPU time, and involuntary context switches of one process."""

    ticks: Ticks
    switches: int


def open_clock_reader(
    device: Device, *, uuid: str | None = None, host: Host | None = None
) -> "GpuClockReader | CpuClockReader | Missing":
    """Return the reader for `device`, or why there can be none here.

    uuid: of the GPU, from `Environment.gpu`; without it the driver is asked (0.3 s or more).
    """
    host = host or Host()
    if device == "cpu":
        ticks = _read_ticks(host)
        return ticks if isinstance(ticks, Missing) else CpuClockReader(host)
    nvml = host.nvml()
    if isinstance(nvml, Missing):
        return nvml
    uuids = (uuid,) if uuid else _visible_uuids()
    if isinstance(uuids, Missing):
        return uuids
    _, handle = find_device(nvml, uuids)
    return handle if isinstance(handle, Missing) else GpuClockReader(nvml, handle)


class GpuClockReader:
    """Reads one GPU through NVML, without a CUDA context."""

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        """Use `open_clock_reader`."""
        self._nvml = nvml
        self._handle = handle

    def start(self, pid: int) -> None:
        """Do nothing: NVML's clocks and throttle reasons are those of the moment of `read`."""

    def read(self, at: Seconds) -> GpuReading | Missing:
        """Return the state of the GPU now; `at` is seconds since the run began."""
        asked = (
            ("DeviceGetClockInfo", _CLOCK_SM),
            ("DeviceGetClockInfo", _CLOCK_MEMORY),
            ("DeviceGetTemperature", _TEMPERATURE_GPU),
            ("DeviceGetPowerUsage",),
            ("DeviceGetCurrentClocksEventReasons",),
        )
        answers: list[Any] = []
        for function, *arguments in asked:
            answer = self._nvml.ask(str(function), self._handle, *arguments)
            if isinstance(answer, Missing):
                return answer
            answers.append(answer)
        sm_megahertz, memory_megahertz, celsius, milliwatts, reasons = answers
        return GpuReading(
            at=at,
            sm_clock=sm_megahertz * 1e6,
            memory_clock=memory_megahertz * 1e6,
            temperature=float(celsius),
            power=milliwatts * 1e-3,
            throttle=int(reasons),
        )


class CpuClockReader:
    """Reads the host's load and what it took from one worker."""

    def __init__(self, host: Host) -> None:
        """Use `open_clock_reader`."""
        self._host = host
        self._pid: int | None = None
        self._before: Counters | Missing = Missing(reason="`start` was not called")

    def start(self, pid: int) -> None:
        """Remember the counters now; `pid` is the worker whose preemptions count."""
        self._pid = pid
        self._before = self._count()

    def read(self, at: Seconds) -> CpuReading | Missing:
        """Return what happened since `start` (or the last `read`); `at`: since the run began."""
        before, after = self._before, self._count()
        self._before = after
        if isinstance(before, Missing):
            return before
        if isinstance(after, Missing):
            return after
        text = self._host.read("proc/loadavg")
        load = text if isinstance(text, Missing) else parse_load(text)
        if isinstance(load, Missing):
            return load
        return CpuReading(
            at=at,
            stolen=share_stolen(before.ticks, after.ticks),
            # A thread that ended took its count along; fewer than before means none seen.
            preempted=max(0, after.switches - before.switches),
            load=load,
        )

    def _count(self) -> Counters | Missing:
        if self._pid is None:
            return Missing(reason="`start` was not called")
        ticks, switches = _read_ticks(self._host), _read_switches(self._host, self._pid)
        if isinstance(ticks, Missing):
            return ticks
        return (
            switches if isinstance(switches, Missing) else Counters(ticks=ticks, switches=switches)
        )


def parse_switches(status: str) -> int | Missing:
    """Return the involuntary context switches in the text of /proc/<pid>/status."""
    match = re.search(r"^nonvoluntary_ctxt_switches:\s*(\d+)", status, re.M)
    return int(match[1]) if match else Missing(reason="no nonvoluntary_ctxt_switches in status")


def parse_ticks(stat: str) -> Ticks | Missing:
    """Return CPU time from the text of /proc/stat; Missing when it does not count stolen time.

    Source: proc_stat(5): user nice system idle iowait irq softirq steal (guest times are part of
    user and nice, so they are not added again).
    """
    match = re.search(r"^cpu\s+((?:\d+\s*)+)$", stat, re.M)
    fields = [int(field) for field in match[1].split()] if match else []
    if len(fields) < 8:
        return Missing(reason="/proc/stat does not count stolen time here")
    return Ticks(total=sum(fields[:8]), stolen=fields[7])


def share_stolen(before: Ticks, after: Ticks) -> float:
    """Return the share of CPU time that the hypervisor gave to others between two readings.

    A visit shorter than a clock tick (10 ms) sees no tick at all: 0 of 0 counts as none stolen.
    """
    total = after.total - before.total
    return min(1.0, max(0, after.stolen - before.stolen) / total) if total > 0 else 0.0


def _read_ticks(host: Host) -> Ticks | Missing:
    text = host.read("proc/stat")
    return text if isinstance(text, Missing) else parse_ticks(text)


def _read_switches(host: Host, pid: int) -> int | Missing:
    """Sum over all threads: the kernel counts each one alone, and BLAS works in many."""
    tasks = sorted((host.root / f"proc/{pid}/task").glob("[0-9]*"))
    texts = [host.read(f"proc/{pid}/task/{task.name}/status") for task in tasks]
    counts = [parse_switches(text) for text in texts if isinstance(text, str)]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if known else Missing(reason=f"/proc/{pid} tells no context switches")


def _visible_uuids() -> tuple[str, ...] | Missing:
    device = query_driver()
    return device if isinstance(device, Missing) else device.uuids
