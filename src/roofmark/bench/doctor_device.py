"""Examines the GPU: is there one, who else uses it, what holds its clocks.

In: a `Host` and the `Gpu` read from it. Out: lines of the examination.
"""

from collections.abc import Iterator
from typing import Any

from roofmark.bench.examination import Line
from roofmark.bench.gpu import find_device
from roofmark.bench.host import Host
from roofmark.bench.nvml import Nvml
from roofmark.evidence import Gpu
from roofmark.records import Missing
from roofmark.units import show

# Source: nvml.h, nvmlClocksEventReason*; the words are ours.
CLOCK_REASONS = {
    0x001: "idle",
    0x002: "application clocks are set",
    0x004: "power cap (software)",
    0x008: "slowdown (hardware)",
    0x010: "sync boost group",
    0x020: "temperature (software)",
    0x040: "temperature (hardware)",
    0x080: "power brake (hardware)",
    0x100: "display clocks are set",
}
# Chosen: idle is no limit, and set clocks are what a careful host does on purpose.
_HARMLESS = 0x001 | 0x002 | 0x100
_CLOCK_SM = 1
# Chosen: 20 rotating input sets of 64 MiB with their outputs and torch's own context fit in it.
_ENOUGH_MEMORY = 4 * 2**30


def examine_device(host: Host, gpu: Gpu | Missing) -> tuple[Line, ...]:
    """Return what there is to say about CUDA device 0."""
    if isinstance(gpu, Missing):
        line = Line(
            state="missing",
            name="GPU",
            found=gpu.reason,
            why="CUDA and Triton solutions need one; so do the tiers kernel and graph.",
            mend="Install the driver, or pass the device into the container; look at nvidia-smi.",
            skips="everything on cuda",
        )
        return (line,)
    return tuple(_lines(host, gpu))


def name_reasons(mask: int) -> tuple[str, ...]:
    """Return the clock-event reasons of an NVML bit mask in words."""
    known = tuple(words for bit, words in CLOCK_REASONS.items() if mask & bit)
    rest = mask & ~sum(CLOCK_REASONS)
    return (*known, f"unknown bits {rest:#x}") if rest else known


def _lines(host: Host, gpu: Gpu) -> Iterator[Line]:
    yield Line(
        state="ok",
        name="GPU",
        found=f"{gpu.name}, compute capability {gpu.compute_capability}, "
        f"{gpu.multiprocessors} SMs, L2 {show(gpu.last_level_cache, 'B')}",
    )
    yield Line(state="ok", name="driver", found=gpu.driver)
    yield _users(gpu)
    yield _mig(gpu)
    yield _persistence(gpu)
    nvml = host.nvml()
    if isinstance(nvml, Missing):
        yield Line(state="missing", name="NVML", found=nvml.reason,
                   why="Without it no clocks, no throttling and no other users are seen.",
                   mend="pip install nvidia-ml-py, or pass libnvidia-ml.so.1 into the container.",
                   skips="health readings of the GPU")  # fmt: skip
        return
    _, handle = find_device(nvml, (gpu.uuid,))
    yield _memory(nvml, handle)
    yield _clocks(nvml, handle)


def _users(gpu: Gpu) -> Line:
    why = "Another program on the GPU takes time that would be counted as the kernel's."
    if isinstance(gpu.other_processes, Missing):
        return Line(state="warning", name="other users", found=gpu.other_processes.reason, why=why)
    if gpu.other_processes == 0:
        return Line(state="ok", name="other users", found="none that this container can see")
    return Line(
        state="warning",
        name="other users",
        found=f"{gpu.other_processes} processes hold a context",
        why=why,
        mend="Stop them, or choose another GPU with CUDA_VISIBLE_DEVICES.",
    )


def _mig(gpu: Gpu) -> Line:
    if gpu.mig is not True:
        return Line(state="ok", name="MIG", found="off" if gpu.mig is False else "not a feature")
    return Line(
        state="warning",
        name="MIG",
        found="on",
        why="A slice shares its memory system with others, and no datasheet describes it.",
        mend="Measure on a whole GPU if the claim is about one.",
    )


def _persistence(gpu: Gpu) -> Line:
    if gpu.persistence is False:
        return Line(
            state="warning",
            name="persistence mode",
            found="off",
            why="The driver unloads between processes; each start is slow and begins cold.",
            mend="sudo nvidia-smi -pm 1",
        )
    found = "on" if gpu.persistence is True else gpu.persistence.reason
    return Line(state="ok", name="persistence mode", found=found)


def _memory(nvml: Nvml, handle: Any) -> Line:
    info = handle if isinstance(handle, Missing) else nvml.ask("DeviceGetMemoryInfo", handle)
    if isinstance(info, Missing):
        return Line(state="warning", name="free memory", found=info.reason)
    found = f"{show(info.free, 'B')} of {show(info.total, 'B')}"
    if info.free >= _ENOUGH_MEMORY:
        return Line(state="ok", name="free memory", found=found)
    return Line(
        state="warning",
        name="free memory",
        found=found,
        why="A cold cache needs several sets of inputs larger than the L2.",
        mend="Stop what holds it, or make the workloads smaller.",
    )


def _clocks(nvml: Nvml, handle: Any) -> Line:
    answers: list[Any] = [
        handle if isinstance(handle, Missing) else nvml.ask(function, handle, *arguments)
        for function, *arguments in (
            ("DeviceGetCurrentClocksEventReasons",),
            ("DeviceGetClockInfo", _CLOCK_SM),
            ("DeviceGetMaxClockInfo", _CLOCK_SM),
        )
    ]
    gaps = [answer.reason for answer in answers if isinstance(answer, Missing)]
    if gaps:
        return Line(state="warning", name="clocks", found=gaps[0])
    mask, now, most = answers
    reasons = ", ".join(name_reasons(mask)) or "nothing limits them"
    limited = bool(mask & ~_HARMLESS)
    return Line(
        state="warning" if limited else "ok",
        name="clocks",
        found=f"SM {now} of {most} MHz now; {reasons}",
        why="A GPU that is held back now will be slower now, whatever runs." if limited else "",
        mend="Let it cool, raise the power limit, or see `nvidia-smi -q -d PERFORMANCE`."
        if limited
        else "",
    )
