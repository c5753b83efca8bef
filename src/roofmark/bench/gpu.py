"""The CUDA device of this run, read without a CUDA context.

In: a `Host` (NVML) and the driver's answer about device 0. Out: `Gpu`, or Missing with the reason.
The driver decides which device is meant; NVML tells what the driver's own interface cannot.
"""

import re
from collections.abc import Callable
from typing import Any

from roofmark.bench.driver import DriverDevice, query_driver
from roofmark.bench.host import Host
from roofmark.bench.nvml import Nvml
from roofmark.evidence import Gpu
from roofmark.records import Missing

# Source: nvml.h, NVML_CLOCK_SM.
_CLOCK_SM = 1


def collect_gpu(
    host: Host, query: Callable[[], DriverDevice | Missing] = query_driver
) -> Gpu | Missing:
    """Read the device that a CUDA program started here would get."""
    device = query()
    if isinstance(device, Missing):
        return Missing(reason=f"no CUDA device: {device.reason}")
    nvml = host.nvml()
    version = read_driver_version(host, nvml)
    if isinstance(version, Missing):
        return version
    uuid, handle = find_device(nvml, device.uuids)
    mig = _known(handle, lambda: _ask(nvml, "DeviceGetMigMode", handle))
    return Gpu(
        name=device.name,
        uuid=uuid,
        driver=version,
        compute_capability=device.compute_capability,
        multiprocessors=device.multiprocessors,
        memory=device.memory,
        last_level_cache=device.last_level_cache,
        power_limit=_scaled(_ask(nvml, "DeviceGetEnforcedPowerLimit", handle), 1e-3),
        max_clock=_scaled(_ask(nvml, "DeviceGetMaxClockInfo", handle, _CLOCK_SM), 1e6),
        persistence=_flag(_ask(nvml, "DeviceGetPersistenceMode", handle)),
        mig=mig if isinstance(mig, Missing) else _flag(mig[0]),
        other_processes=_count(_ask(nvml, "DeviceGetComputeRunningProcesses", handle)),
    )


def find_device(nvml: Nvml | Missing, uuids: tuple[str, ...]) -> tuple[str, Any]:
    """Return the UUID under which NVML knows the device, and its handle or Missing."""
    if isinstance(nvml, Missing):
        return uuids[0], nvml
    answers = [(uuid, nvml.device(uuid)) for uuid in uuids]
    known = [answer for answer in answers if not isinstance(answer[1], Missing)]
    return known[0] if known else answers[0]


def read_driver_version(host: Host, nvml: Nvml | Missing) -> str | Missing:
    """Return the driver's version from NVML, or from its own file."""
    answer = nvml if isinstance(nvml, Missing) else nvml.ask("SystemGetDriverVersion")
    if isinstance(answer, str):
        return answer
    text = host.read("proc/driver/nvidia/version")
    found = None if isinstance(text, Missing) else re.search(r"\b(\d{3,}\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else answer


def _ask(nvml: Nvml | Missing, function: str, handle: Any, *arguments: Any) -> Any:
    if isinstance(nvml, Missing):
        return nvml
    return _known(handle, lambda: nvml.ask(function, handle, *arguments))


def _known(handle: Any, ask: Callable[[], Any]) -> Any:
    """Hand the reason on when there is no device to ask about."""
    return handle if isinstance(handle, Missing) else ask()


def _scaled(answer: Any, factor: float) -> float | Missing:
    return answer if isinstance(answer, Missing) else answer * factor


def _flag(answer: Any) -> bool | Missing:
    return answer if isinstance(answer, Missing) else bool(answer)


def _count(answer: Any) -> int | Missing:
    return answer if isinstance(answer, Missing) else len(answer)
