"""Were functions of the harness or of libraries replaced in this process?

In: nothing; references are taken before a candidate's code is imported. Out: names of what is no
longer what it was: an attribute that is another object, a function whose code is another, a C
function's first bytes that are others. It runs beside the candidate, which can deceive it: it
explains what a clock outside (witness.py) proves, and catches what is done without care.
"""

import ctypes
import functools
import gc
import sys
import time
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch

# Chosen: room for the jump that a detour writes over a function's beginning.
_HEAD = 16
_PERSISTING_L2 = 6  # Source: cuda.h, CU_LIMIT_PERSISTING_L2_CACHE_SIZE
_C_FUNCTIONS = ("clock_gettime", "gettimeofday", "nanosleep", "write", "send", "sendmsg")
_OURS = ("worker", "serve", "timer", "cache", "channel", "load", "arena", "guard", "memory")
_NAMES: tuple[tuple[Any, str], ...] = (
    *((time, name) for name in ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns",
                                "time", "time_ns", "sleep")),
    (gc, "disable"),
    (gc, "enable"),
    *((torch.cuda, name) for name in ("synchronize", "Event", "CUDAGraph", "graph", "_sleep",
                                      "current_stream", "Stream")),
    *((torch.cuda.Event, name) for name in ("record", "elapsed_time", "synchronize", "query")),
    *((torch.cuda.CUDAGraph, name) for name in ("replay", "capture_begin", "capture_end")),
    *((torch.Tensor, name) for name in ("copy_", "clone", "max", "reshape", "view", "__eq__")),
    *((torch, name) for name in ("no_grad", "empty", "frombuffer", "equal", "allclose",
                                    "_foreach_copy_")),
)  # fmt: skip

_BEFORE: dict[str, Any] = {}


def take_references() -> None:
    """Remember how everything is now."""
    _BEFORE.clear()
    _BEFORE.update(_found())


def find_patches() -> tuple[str, ...]:
    """Return the names of what has changed since, at most ten of them."""
    now = dict(_found())
    changed = [name for name, value in _BEFORE.items() if now.get(name) != value]
    return tuple(changed[:10])


def persisting_l2() -> int:
    """Return the bytes of L2 that the current context sets aside for data that persists.

    A context begins with some of it: 11 MiB on an H200.
    """
    driver = ctypes.CDLL("libcuda.so.1")
    size = ctypes.c_size_t(0)
    code = driver.cuCtxGetLimit(ctypes.byref(size), _PERSISTING_L2)
    return size.value if code == 0 else 0


def device_changes(before: int) -> str:
    """Say what is left behind on the GPU that serves this process alone, or nothing.

    before: `persisting_l2` as it was when no candidate's code had run.
    """
    now = persisting_l2()
    if now == before:
        return ""
    return (
        f"{now / 2**20:.0f} MiB of the L2 cache are set aside for data that persists; before the "
        f"solution was loaded it was {before / 2**20:.0f}"
    )


def _found() -> Iterator[tuple[str, Any]]:
    for owner, name in _NAMES:
        value = getattr(owner, name, None)
        yield f"{getattr(owner, '__name__', owner)}.{name}", (id(value), _code(value))
    # The module that serves runs as the main program; its functions live there.
    ours = (sys.modules.get(f"roofmark.bench.{name}") for name in _OURS)
    for module in filter(None, (sys.modules["__main__"], *ours)):
        for name, value in vars(module).items():
            if name.startswith("__"):
                continue
            if isinstance(value, type | FunctionType | ModuleType) or callable(value):
                yield f"{module.__name__}.{name}", (id(value), _code(value))
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield from _members(f"{module.__name__}.{name}", value)
    for name, address in _addresses().items():
        yield f"{name}() of the C library", ctypes.string_at(address, _HEAD)


def _members(where: str, owner: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(owner).items():
        if isinstance(value, FunctionType):
            yield f"{where}.{name}", (id(value), _code(value))


def _code(value: Any) -> tuple[int, bytes]:
    code = getattr(value, "__code__", None)
    return (id(code), code.co_code) if isinstance(code, CodeType) else (0, b"")


@functools.cache
def _addresses() -> dict[str, int]:
    """Return where functions of the C library begin, as every program in the process finds them."""
    library = ctypes.CDLL(None)
    found: dict[str, int] = {}
    for name in _C_FUNCTIONS:
        function = getattr(library, name, None)
        if function is not None:
            found[name] = ctypes.cast(function, ctypes.c_void_p).value or 0
    return {name: address for name, address in found.items() if address}
