"""The CUDA device that a program here would get, as the driver itself names it.

In: `libcuda.so.1` and the variables that select a device (CUDA_VISIBLE_DEVICES,
CUDA_DEVICE_ORDER). Out: `DriverDevice`, one JSON line of `python -m roofmark.bench.driver`.
A process of its own asks, because `cuInit` freezes those variables for the rest of a process and
must not have run in one that forks. No context is created except by `launch`, which runs one empty
kernel for a profiler to look at.
"""

import ctypes
import sys
import uuid
from collections.abc import Callable

import msgspec

from roofmark.bench.host import run_module
from roofmark.records import Missing, Record, encode
from roofmark.units import Bytes

# Chosen: cuInit takes 0.2 s with persistence mode and up to 2 s per GPU without it.
DRIVER_LIMIT = 60.0

# Source: enum CUdevice_attribute in cuda.h (CUDA 12 and 13 agree).
_MULTIPROCESSORS = 16
_L2_BYTES = 38
_MAJOR = 75
_MINOR = 76

_EMPTY_KERNEL = b""".version 7.0
.target sm_50
.address_size 64
.visible .entry roofmark_probe() { ret; }
"""


class DriverDevice(Record):
    """CUDA device 0 of a process with this environment.

    uuids: what NVML may call it; the driver does not say whether it is a whole GPU or an instance.
    """

    name: str
    uuids: tuple[str, ...]
    compute_capability: str
    multiprocessors: int
    memory: Bytes
    last_level_cache: Bytes
    cuda_version: str


def query_driver(run: Callable[..., str | Missing] = run_module) -> DriverDevice | Missing:
    """Ask the driver in a process of its own."""
    answer = run("roofmark.bench.driver", "query", limit=DRIVER_LIMIT)
    if isinstance(answer, Missing):
        return Missing(reason=answer.reason.partition(": ")[2] or answer.reason)
    try:
        return msgspec.json.decode(answer.strip().splitlines()[-1], type=DriverDevice)
    except (msgspec.DecodeError, IndexError) as error:
        return Missing(reason=f"the CUDA driver's answer cannot be read: {error}")


class _Driver:
    """libcuda, whose every call raises OSError with the driver's name for what went wrong."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self("cuInit", 0)

    def __call__(self, function: str, *arguments: object) -> None:
        code = getattr(self._library, function)(*arguments)
        if code != 0:
            name = ctypes.c_char_p()
            self._library.cuGetErrorName(code, ctypes.byref(name))
            raise OSError(f"{function}: {(name.value or str(code).encode()).decode()}")

    def attribute(self, device: ctypes.c_int, number: int) -> int:
        value = ctypes.c_int()
        self("cuDeviceGetAttribute", ctypes.byref(value), number, device)
        return value.value


def _query() -> DriverDevice:
    driver = _Driver()
    device, version, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    driver("cuDeviceGet", ctypes.byref(device), 0)
    driver("cuDriverGetVersion", ctypes.byref(version))
    driver("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    name = ctypes.create_string_buffer(256)
    driver("cuDeviceGetName", name, 256, device)
    raw = (ctypes.c_ubyte * 16)()
    # v2 (driver 11.4) tells a MIG instance's own UUID, v1 its parent's.
    driver("cuDeviceGetUuid_v2", ctypes.byref(raw), device)
    identity = uuid.UUID(bytes=bytes(raw))
    major, minor = (driver.attribute(device, number) for number in (_MAJOR, _MINOR))
    return DriverDevice(
        name=name.value.decode(errors="replace"),
        uuids=(f"GPU-{identity}", f"MIG-{identity}"),
        compute_capability=f"{major}.{minor}",
        multiprocessors=driver.attribute(device, _MULTIPROCESSORS),
        memory=memory.value,
        last_level_cache=driver.attribute(device, _L2_BYTES),
        cuda_version=f"{version.value // 1000}.{version.value % 1000 // 10}",
    )


def count_devices(run: Callable[..., str | Missing] = run_module) -> int:
    """Return how many CUDA devices a program here would see; 0 where there is no driver."""
    answer = run("roofmark.bench.driver", "count", limit=DRIVER_LIMIT)
    return 0 if isinstance(answer, Missing) else int(answer.strip().splitlines()[-1])


def _count() -> int:
    count = ctypes.c_int()
    _Driver()("cuDeviceGetCount", ctypes.byref(count))
    return count.value


def _launch() -> None:
    """Run one empty kernel on device 0, for a profiler to see."""
    driver = _Driver()
    device, context = ctypes.c_int(), ctypes.c_void_p()
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    driver("cuDeviceGet", ctypes.byref(device), 0)
    driver("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    driver("cuCtxSetCurrent", context)
    driver("cuModuleLoadData", ctypes.byref(module), _EMPTY_KERNEL)
    driver("cuModuleGetFunction", ctypes.byref(function), module, b"roofmark_probe")
    driver("cuLaunchKernel", function, *[ctypes.c_uint(1)] * 6, ctypes.c_uint(0), None, None, None)
    driver("cuCtxSynchronize")


def main() -> int:
    """Answer "query" with one JSON line, "count" with a number; run the kernel of "launch"."""
    try:
        if sys.argv[1:] == ["launch"]:
            _launch()
        elif sys.argv[1:] == ["count"]:
            sys.stdout.write(f"{_count()}\n")
        else:
            sys.stdout.write(encode(_query()).decode() + "\n")
    except (OSError, AttributeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
