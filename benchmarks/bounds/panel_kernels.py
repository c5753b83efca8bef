"""The panel's own kernels, in Triton: each is bound by what its name says.

In: the panel's `Kernel`. Out: its members. Kept apart because Triton reads a kernel's source file.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import triton
import triton.language as tl

MIB = 2**20
CUDA = torch.device("cuda")


@triton.jit
def _fma(x, n, steps, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, at < n)
    for _ in range(steps):
        value = value * 0.999 + 0.001
    tl.store(x + at, value, at < n)


@triton.jit
def _copy(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, at < n), at < n)


@triton.jit
def _chase(links, out, steps):
    at = tl.load(links)
    for _ in range(steps):
        at = tl.load(links + at)
    tl.store(out, at)


@triton.jit
def _stream(x, out, each, BLOCK: tl.constexpr):
    total = tl.zeros((BLOCK,), tl.float32)
    start = tl.program_id(0) * each
    for offset in range(0, each, BLOCK):
        total += tl.load(x + start + offset + tl.arange(0, BLOCK))
    tl.store(out + tl.program_id(0), tl.sum(total))


@triton.jit
def _reread(x, out, n, rounds, BLOCK: tl.constexpr):
    total = tl.zeros((BLOCK,), tl.float32)
    for turn in range(rounds):
        at = ((tl.program_id(0) + turn * 131) * BLOCK) % n
        total += tl.load(x + at + tl.arange(0, BLOCK))
    tl.store(out + tl.program_id(0), tl.sum(total))


@triton.jit
def _one_address(out, rounds):
    for _ in range(rounds):
        tl.atomic_add(out, 1.0)


@triton.jit
def _transpose(x, y, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    for start in range(0, n, BLOCK):
        column = start + tl.arange(0, BLOCK)
        tl.store(y + column * n + row, tl.load(x + row * n + column))


def _copying(n: int) -> Callable[[], Callable[[], Any]]:
    """Return what makes a copy of n floats (torch's own is no kernel, so no profiler counts it)."""

    def make() -> Callable[[], Any]:
        a = torch.ones(n, device=CUDA)
        b = torch.empty_like(a)
        return lambda: _copy[(triton.cdiv(n, 2048),)](a, b, n, BLOCK=2048, num_warps=4)

    return make


def copies(kernel: Any) -> Iterator[Any]:
    """Yield copies from a kilobyte to a quarter of a gigabyte."""
    for size, words in (
        (1024, ("launch",)),
        (256 * 1024, ("launch", "latency")),
        (2 * MIB, ("latency",)),
        (64 * MIB, ("memory",)),
        (256 * MIB, ("memory",)),
    ):
        yield kernel(f"copy {size:,} B", words, 2 * size, 0, "float32", _copying(size // 4))


def fma_chain(kernel: Any) -> Iterator[Any]:
    """Yield chains of multiply-adds: much arithmetic on few bytes, with and without parallelism."""

    def make(n: int, steps: int) -> Callable[[], Callable[[], Any]]:
        def bound() -> Callable[[], Any]:
            x = torch.ones(n, device=CUDA)
            return lambda: _fma[(triton.cdiv(n, 1024),)](x, n, steps, BLOCK=1024)

        return bound

    for n, steps, words in ((16 * MIB, 512, ("compute",)), (4096, 512, ("latency",))):
        yield kernel(
            f"{steps} FMAs on {n:,} floats", words, 8 * n, 2 * steps * n, "float32", make(n, steps)
        )


def chase(kernel: Any) -> Iterator[Any]:
    """Yield one thread that follows pointers through memory."""
    n, steps = 4 * MIB, 2000

    def make() -> Callable[[], Any]:
        links = (torch.arange(n, device=CUDA) * 40503 + 12345) % n
        out = torch.empty(1, dtype=torch.int64, device=CUDA)
        return lambda: _chase[(1,)](links, out, steps, num_warps=1)

    yield kernel("pointer chase", ("latency",), 8 * steps, 0, "float32", make)


def few_blocks(kernel: Any) -> Iterator[Any]:
    """Yield a stream that too few blocks read, one that enough blocks read, and many atomics."""

    def make(blocks: int, n: int) -> Callable[[], Callable[[], Any]]:
        def bound() -> Callable[[], Any]:
            x = torch.ones(n, device=CUDA)
            out = torch.empty(blocks, device=CUDA)
            return lambda: _stream[(blocks,)](x, out, n // blocks, BLOCK=4096, num_warps=8)

        return bound

    for blocks, words in ((4, ("latency",)), (1024, ("memory",))):
        n = 32 * MIB
        yield kernel(f"{blocks} blocks read 128 MiB", words, 4 * n, n, "float32", make(blocks, n))

    def atomics() -> Callable[[], Any]:
        out = torch.zeros(1, device=CUDA)
        return lambda: _one_address[(1024,)](out, 64)

    yield kernel("atomics on one address", ("latency", "on-chip"), 4, 65536, "float32", atomics)


def reread(kernel: Any) -> Iterator[Any]:
    """Yield kernels whose bytes are in the L2 cache already."""
    n = 4 * MIB

    def rounds() -> Callable[[], Any]:
        x = torch.ones(n, device=CUDA)
        out = torch.empty(1056, device=CUDA)
        return lambda: _reread[(1056,)](x, out, n, 512, BLOCK=2048, num_warps=8)

    yield kernel("16 MiB read again from L2", ("on-chip",), 4 * n, 0, "float32", rounds, "warm")
    copy = _copying(n // 2)
    yield kernel("copy 8 MiB in L2", ("on-chip", "latency"), 4 * n, 0, "float32", copy, "warm")


def strided(kernel: Any) -> Iterator[Any]:
    """Yield a transposed copy that writes one float per cache line."""
    n = 8192

    def make() -> Callable[[], Any]:
        x = torch.ones(n, n, device=CUDA)
        y = torch.empty_like(x)
        return lambda: _transpose[(n,)](x, y, n, BLOCK=1024)

    yield kernel("naive transpose", ("memory", "on-chip", "latency"), 8 * n * n, 0, "float32", make)
