"""Measures what this device can do: bandwidth by size, launch floor, arithmetic by dtype.

In: the device's kind. Out: `CeilingSet`, every ceiling the median of several tries with its
provenance. Runs in a process of its own (`python -m roofmark.bench.ceilings`), which alone imports
torch. Copies and reads rotate over buffers that together exceed the last-level cache four times,
so each figure is main-memory bandwidth at that size, whatever the size.
"""

import contextlib
import datetime
import gc
import os
import statistics
from collections.abc import Generator, Iterator, Sequence

import torch

from roofmark.bench.ceilings import CeilingSet
from roofmark.bench.cpu import collect_cpu, read_last_level_cache
from roofmark.bench.gpu import read_driver_version
from roofmark.bench.host import Host
from roofmark.bench.stopwatch import Call, CpuStopwatch, CudaStopwatch, Stopwatch, measure
from roofmark.evidence import Ceiling
from roofmark.records import Missing
from roofmark.study import Device
from roofmark.units import Bytes, Seconds

MIB = 2**20
_SMALLEST = MIB // 2
# Chosen: 2 GiB is where an H200's copy bandwidth has been flat for two doublings.
_LARGEST_CUDA = 2048 * MIB
# Chosen: four times the cache, because its replacement is not least-recently-used; half of that
# still shows hits.
_ROTATION = 4
# Chosen: when the cache's size is unknown, larger than that of any common part (an Epyc's 384 MiB).
_UNKNOWN_CACHE_ROTATION = 512 * MIB
# Chosen: a GPU leaves its idle clocks within 0.1 s, an `ondemand` governor within 0.05 s.
_WARM_UP_SECONDS = 0.2
_SINGLE_CALLS = 50
_GRAPH_LAUNCHES = 200

# Chosen: [n, n] @ [n, n] with n large enough to fill the device for several waves, small enough for
# the time budget; float32 and float64 run without (or with slow) matrix units.
_CUDA_MATMULS = {
    "float32": 4096, "float64": 4096, "tf32": 8192, "float16": 8192, "bfloat16": 8192,
    "float8": 8192, "int8": 8192,
}  # fmt: skip
_CPU_MATMULS = ("float32", "float64")


def probe(device: Device) -> CeilingSet:
    """Measure every ceiling of `device`. Raises: RuntimeError when torch cannot use it at all."""
    gc.collect()
    gc.freeze()  # every capture collects garbage; torch's own objects are not looked at again
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    stopwatch: Stopwatch = CudaStopwatch() if device == "cuda" else CpuStopwatch()
    label = _label(device)
    notes: list[str] = []
    ceilings = [*_probe_memory(device, stopwatch, label), *_probe_launch(device, stopwatch, label)]
    for dtype, n in _matmuls(device).items():
        try:
            ceilings.append(_probe_matmul(device, dtype, n, stopwatch, label))
        except (RuntimeError, AttributeError, TypeError) as error:
            notes.append(f"arithmetic:{dtype} not measured: {str(error).strip()[:200]}")
    return CeilingSet(ceilings=tuple(ceilings), notes=tuple(notes))


# --- memory --------------------------------------------------------------------------------------
def _probe_memory(device: Device, stopwatch: Stopwatch, label: str) -> Iterator[Ceiling]:
    rotation, sizes = plan_sizes(device, _cache_bytes(device), _free_bytes(device))
    elements = max(rotation, sizes[-1]) // 4
    source = torch.empty(elements, dtype=torch.float32, device=device).uniform_()
    target = torch.empty_like(source).zero_()
    sums = torch.zeros((), dtype=torch.float32, device=device)
    _warm_up(stopwatch, _copy(source, target))
    for size in sizes:
        inputs, outputs = _slices(source, size, rotation), _slices(target, size, rotation)
        copies = [_copy(a, b) for a, b in zip(inputs, outputs, strict=True)]
        what = f"torch copy_ of {_mib(size)}"
        yield _rate("copy", what, 2 * size, measure(stopwatch, copies), label)
        reads = [_sum(each, sums) for each in inputs]
        yield _rate("read", f"torch sum of {_mib(size)}", size, measure(stopwatch, reads), label)


def _warm_up(stopwatch: Stopwatch, call: Call) -> None:
    """Keep the device busy until its clocks have risen; the first figures would be too low."""
    run = stopwatch.prepare([call])
    spent = 0.0
    while spent < _WARM_UP_SECONDS:
        spent += run(1)


def plan_sizes(
    device: Device, cache: Bytes | Missing, free: Bytes
) -> tuple[Bytes, tuple[Bytes, ...]]:
    """Return how many bytes to rotate over, and the tensor sizes to copy, smallest first.

    Each doubles; the largest is 2 GiB on CUDA, four times the cache on a CPU, and never more than a
    sixteenth of the free memory (there are two buffers, and others live here too).
    """
    limit = max(_SMALLEST, free // 16)
    rotation = _UNKNOWN_CACHE_ROTATION if isinstance(cache, Missing) else _ROTATION * cache
    rotation = max(_SMALLEST, min(rotation, limit))
    largest = min(limit, _LARGEST_CUDA if device == "cuda" else max(rotation, 64 * MIB))
    sizes = [_SMALLEST]
    while sizes[-1] * 2 <= largest:
        sizes.append(sizes[-1] * 2)
    return rotation, tuple(sizes)


def _slices(buffer: torch.Tensor, size: Bytes, rotation: Bytes) -> list[torch.Tensor]:
    """Cut disjoint pieces of `size` bytes that together reach `rotation`, at least one."""
    elements = size // 4
    count = max(1, min(-(-rotation // size), buffer.numel() // elements))
    return [buffer[k * elements : (k + 1) * elements] for k in range(count)]


def _copy(source: torch.Tensor, target: torch.Tensor) -> Call:
    return lambda: target.copy_(source)


def _sum(source: torch.Tensor, out: torch.Tensor) -> Call:
    return lambda: torch.sum(source, dim=0, out=out)


# --- launch --------------------------------------------------------------------------------------
def _probe_launch(device: Device, stopwatch: Stopwatch, label: str) -> Iterator[Ceiling]:
    """Yield the floor inside a graph ("launch") and that of one call from the host."""
    x = torch.zeros(1, device=device)

    def call() -> object:
        return x.add_(1.0)

    if stopwatch.graphs:
        times = measure(stopwatch, [call] * _GRAPH_LAUNCHES)
        yield _floor("launch", "one-element add in a CUDA graph", times, label)
    times = [stopwatch.single(call) for _ in range(_SINGLE_CALLS)]
    yield _floor("launch:call", "one-element torch add, called once", times, label)


# --- arithmetic ----------------------------------------------------------------------------------
def _matmuls(device: Device) -> dict[str, int]:
    if device == "cuda":
        return _CUDA_MATMULS
    # Chosen: 2 * n^3 flop take about 20 ms at 50 GFLOP/s per core, and tile every core.
    n = 1024 if len(os.sched_getaffinity(0)) <= 8 else 4096
    return dict.fromkeys(_CPU_MATMULS, n)


def _probe_matmul(device: Device, dtype: str, n: int, stopwatch: Stopwatch, label: str) -> Ceiling:
    with _precision("high" if dtype == "tf32" else "highest"):
        times = measure(stopwatch, [_matmul(device, dtype, n)])
    return Ceiling(
        quantity=f"arithmetic:{dtype}",
        value=2 * n**3 / statistics.median(times),
        source=_source(f"torch matmul {dtype} {n}x{n}x{n}, normal values", times, label),
        size=Missing(reason="arithmetic does not depend on bytes moved"),
        measured=True,
    )


def _matmul(device: Device, dtype: str, n: int) -> Call:
    """Return one product of normal values; zeros would draw less power and clock higher."""
    if dtype == "int8":
        a, b = (torch.randint(-128, 128, (n, n), dtype=torch.int8, device=device) for _ in "ab")
        multiply = getattr(torch, "_int_mm")  # noqa: B009  (torch has no public name for it)
        return lambda: multiply(a, b.t())
    a, b = (torch.randn(n, n, device=device) for _ in "ab")
    if dtype == "float8":
        x, y = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn)
        one = torch.ones((), device=device)
        multiply = getattr(torch, "_scaled_mm")  # noqa: B009  (public only from torch 2.10)
        return lambda: multiply(
            x, y.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
        )
    kind = torch.float32 if dtype == "tf32" else getattr(torch, dtype)
    x, y = a.to(kind), b.to(kind)
    out = torch.empty_like(x)
    return lambda: torch.mm(x, y, out=out)


@contextlib.contextmanager
def _precision(name: str) -> Generator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


# --- records -------------------------------------------------------------------------------------
def _rate(quantity: str, what: str, moved: Bytes, times: Sequence[Seconds], label: str) -> Ceiling:
    return Ceiling(
        quantity=quantity,
        value=moved / statistics.median(times),
        source=_source(what, times, label),
        size=moved,
        measured=True,
    )


def _floor(quantity: str, what: str, times: Sequence[Seconds], label: str) -> Ceiling:
    return Ceiling(
        quantity=quantity,
        value=statistics.median(times),
        source=_source(what, times, label),
        size=Missing(reason="a launch moves no data that matters"),
        measured=True,
    )


def _source(what: str, times: Sequence[Seconds], label: str) -> str:
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return f"measured: {what}, median of {len(times)}, {today}, {label}"


def _label(device: Device) -> str:
    host = Host()
    if device == "cuda":
        version = read_driver_version(host, host.nvml())
        driver = "driver unknown" if isinstance(version, Missing) else f"driver {version}"
        return f"{torch.cuda.get_device_name(0)}, {driver}, torch {torch.__version__}"
    cpu = collect_cpu(host)
    name = "unknown processor" if isinstance(cpu.model, Missing) else cpu.model
    return f"{name}, {cpu.cores} cores, torch {torch.__version__}"


def _cache_bytes(device: Device) -> Bytes | Missing:
    if device == "cpu":
        return read_last_level_cache(Host())
    size = int(getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0))
    return size if size > 0 else Missing(reason="this torch does not tell the size of the L2")


def _free_bytes(device: Device) -> Bytes:
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _mib(size: Bytes) -> str:
    return f"{size / MIB:g} MiB"
