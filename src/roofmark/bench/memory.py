"""Memory of a worker: what binding and calling one solution on one workload took, at its highest.

In: nothing but this process. Out: `Memory`. The host's peak is the resident set's high-water mark,
which the kernel resets on request; the device's that of torch's allocator, and what NVML says of
this process, which sees allocations that torch does not make. Freed heap is given back before a
workload begins, so that what an earlier one left does not hide what this one takes.
Source: proc(5) for VmHWM and clear_refs; malloc_trim(3).
"""

import contextlib
import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.nvml import Nvml, open_nvml
from roofmark.evidence import Memory, MemoryUse
from roofmark.records import Missing
from roofmark.units import Bytes

_RESET_PEAK = "5"
_SIZE = re.compile(r"^(VmRSS|VmHWM):\s*(\d+) kB$", re.MULTILINE)
_ON_CPU = Missing(reason="the run was on the CPU")
_UNBOUND = Missing(reason="nothing was bound")

Reading = tuple[Bytes, Bytes]
"""What is held now, and the most that was held since the peak was reset."""


class MemoryWatch:
    """Looks at one workload after another."""

    def __init__(self, *, cuda: bool, process: Path = Path("/proc/self")) -> None:
        """Watch the host, and with `cuda` the current device. process: where the kernel tells."""
        self._process = process
        self._cuda = cuda
        self._driver = _driver_reader() if cuda else _ON_CPU
        self._before: dict[str, Reading | Missing] = {}
        self._bound: dict[str, Reading | Missing] = {}
        self._held: Reading | Missing = _ON_CPU
        self._reset: Missing | None = _UNBOUND

    def begin(self) -> None:
        """Give back what is free and begin a workload: all that comes is on its account."""
        if self._cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        with contextlib.suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).malloc_trim(0)
        self._held = _UNBOUND
        self._reset = self._reset_host()
        self._before = self._look(driver=True)

    def bound(self) -> None:
        """Note what binding took: weights prepared, a call for every slot."""
        self._bound = self._look(driver=True)

    def read(self, *, driver: bool = False) -> Memory:
        """Return what was observed so far; the driver is asked anew only if `driver`."""
        now = self._look(driver=driver)
        return Memory(**{name: self._use(name, now[name]) for name in now})

    def _use(self, name: str, now: Reading | Missing) -> MemoryUse | Missing:
        before, bound = self._before.get(name, _UNBOUND), self._bound.get(name, _UNBOUND)
        if isinstance(now, Missing):
            return now
        if isinstance(before, Missing) or isinstance(bound, Missing):
            return before if isinstance(before, Missing) else _UNBOUND
        return MemoryUse(before=before[0], bound=bound[0], peak=max(now))

    def _look(self, *, driver: bool) -> dict[str, Reading | Missing]:
        if driver:
            self._held = self._ask_driver()
        return {"host": self._host(), "allocator": self._allocator(), "driver": self._held}

    # --- readers -----------------------------------------------------------------------------
    def _reset_host(self) -> Missing | None:
        try:
            (self._process / "clear_refs").write_text(_RESET_PEAK)
        except OSError as error:
            return Missing(reason=f"the peak cannot be reset: {error.strerror or error}")
        return None

    def _host(self) -> Reading | Missing:
        if self._reset is not None:
            return self._reset
        try:
            text = (self._process / "status").read_text(errors="replace")
        except OSError as error:
            return Missing(reason=f"/proc/self/status: {error.strerror or error}")
        found = {name: int(size) * 1024 for name, size in _SIZE.findall(text)}
        if len(found) != 2:
            return Missing(reason="/proc/self/status does not tell VmRSS and VmHWM")
        return found["VmRSS"], found["VmHWM"]

    def _allocator(self) -> Reading | Missing:
        if not self._cuda:
            return _ON_CPU
        return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()

    def _ask_driver(self) -> Reading | Missing:
        if isinstance(self._driver, Missing):
            return self._driver
        used = self._driver()
        if isinstance(used, Missing):
            return used
        most = max(used, *self._held) if isinstance(self._held, tuple) else used
        return used, most


def _driver_reader() -> Callable[[], Bytes | Missing] | Missing:
    """Return what asks NVML for the memory of this process on the current device."""
    nvml = open_nvml()
    if isinstance(nvml, Missing):
        return nvml
    uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
    device = nvml.device(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
    return device if isinstance(device, Missing) else lambda: _memory_of(nvml, device, os.getpid())


def _memory_of(nvml: Nvml, device: Any, pid: int) -> Bytes | Missing:
    found = nvml.ask("DeviceGetComputeRunningProcesses", device)
    if isinstance(found, Missing):
        return found
    for each in found:
        if each.pid == pid and each.usedGpuMemory is not None:
            return int(each.usedGpuMemory)
    return Missing(reason="NVML does not list this process, as in a container without host PIDs")
