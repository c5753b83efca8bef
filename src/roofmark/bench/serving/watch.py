"""The watchdog: memory, clocks, power and temperature beside the run, every second.

In: handles by name, a clock, the GPU. Out: `Look`s by leg. A thread of the orchestrator takes them;
NVML and /proc are read, nothing is asked of a leg. A look costs about a millisecond; whoever wants
none of it inside a visit sets `Serving.watch` above the visit's length.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from roofmark.bench.cpu import parse_load, read_available_memory
from roofmark.bench.gpu import find_device
from roofmark.bench.host import Host
from roofmark.bench.serving.handle import Handle, read_memory
from roofmark.records import Missing
from roofmark.served import Look

# Source: nvml.h (NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU).
_SM, _MEMORY, _GPU_TEMPERATURE = 1, 2, 0
_NO_GPU = Missing(reason="the run is on a CPU")


class Watchdog:
    """Looks at every living leg until it is closed."""

    def __init__(
        self,
        handles: Mapping[str, Handle],
        *,
        every: float,
        now: Callable[[], float],
        uuid: str | None,
    ) -> None:
        """Start looking. every: seconds; uuid: of the GPU, None on a CPU."""
        self._handles, self._every, self._now = handles, every, now
        self._gpu = _open_gpu(uuid) if uuid else None
        self.looks: dict[str, list[Look]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._done.set()
        self._thread.join()

    def take(self, name: str) -> tuple[Look, ...]:
        """Return a leg's looks so far and forget them."""
        return tuple(self.looks.pop(name, ()))

    def _watch(self) -> None:
        while not self._done.wait(self._every):
            # A leg that ends while it is looked at has no look; that is no error.
            with contextlib.suppress(OSError, RuntimeError):
                self._look()

    def _look(self) -> None:
        host = Host()
        load = host.read("proc/loadavg")
        load = load if isinstance(load, Missing) else parse_load(load)
        for name, handle in list(self._handles.items()):
            if pids := handle.pids():
                look = Look(
                    at=round(self._now(), 3),
                    host=read_memory(pids, "VmRSS"),
                    available=read_available_memory(host),
                    load=load,
                    **self._device(),
                )
                self.looks.setdefault(name, []).append(look)

    def _device(self) -> dict[str, Any]:
        if self._gpu is None:
            names = ("device", "device_free", "sm_clock", "memory_clock", "power", "temperature")
            return dict.fromkeys(names, _NO_GPU)
        nvml, handle = self._gpu
        memory = nvml.ask("DeviceGetMemoryInfo", handle)
        whole = isinstance(memory, Missing)
        return {
            "device": memory if whole else int(memory.used),
            "device_free": memory if whole else int(memory.free),
            "sm_clock": _scaled(nvml.ask("DeviceGetClockInfo", handle, _SM), 1e6),
            "memory_clock": _scaled(nvml.ask("DeviceGetClockInfo", handle, _MEMORY), 1e6),
            "power": _scaled(nvml.ask("DeviceGetPowerUsage", handle), 1e-3),
            "temperature": _scaled(nvml.ask("DeviceGetTemperature", handle, _GPU_TEMPERATURE), 1.0),
        }


def _open_gpu(uuid: str) -> tuple[Any, Any] | None:
    nvml = Host().nvml()
    if isinstance(nvml, Missing):
        return None
    _, handle = find_device(nvml, (uuid,))
    return None if isinstance(handle, Missing) else (nvml, handle)


def _scaled(answer: Any, factor: float) -> float | Missing:
    return answer if isinstance(answer, Missing) else float(answer) * factor
