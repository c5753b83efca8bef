"""The memory that referee and workers share: one flat run of bytes, on the host or on a GPU.

In: a handle. Out: torch tensors over it. The referee owns the arena; workers map it. Views are
made from a `Layout`, so both sides agree on every address without exchanging any.

On a host an arena can be swapped: other memory takes its place at the same addresses. What lies in
that memory cannot be seen before, however long a process has looked at the arena.
"""

import contextlib
import ctypes
import mmap
import os
from typing import Any

import torch

from roofmark.bench.layout import Layout, Place
from roofmark.bench.messages import ArenaHandle, CudaMemory, SharedMemory

_LIBC = ctypes.CDLL(None, use_errno=True)
_MAP_FIXED = 0x10  # Source: mmap(2), the same on every architecture that torch runs on
_MADV_POPULATE_WRITE = 23  # Source: madvise(2), Linux 5.14


class Arena:
    """Flat bytes and the views into them."""

    def __init__(self, data: torch.Tensor) -> None:
        """Take a one-dimensional uint8 tensor."""
        self.data = data

    def view(self, place: Place, layout: Layout, slot: int) -> torch.Tensor:
        """Return one tensor of one slot, contiguous."""
        start = slot * layout.stride + place.offset
        flat = self.data[start : start + place.size].view(getattr(torch, place.dtype))
        return flat.view(place.shape)

    def stacked(self, place: Place, layout: Layout, slots: range) -> torch.Tensor:
        """Return one tensor over consecutive slots: [slots, *shape], strided."""
        dtype = getattr(torch, place.dtype)
        flat = self.data[slots.start * layout.stride : slots.stop * layout.stride].view(dtype)
        rows = flat.view(len(slots), layout.stride // dtype.itemsize)
        start = place.offset // dtype.itemsize
        return rows[:, start : start + place.size // dtype.itemsize].unflatten(1, place.shape)


def create_cuda_arena(size: int) -> tuple[Arena, CudaMemory]:
    """Allocate `size` bytes on the current GPU and return them with the handle to share."""
    data = torch.empty(size, dtype=torch.uint8, device="cuda")
    # Private in torch, but the very call behind torch.multiprocessing's sharing of CUDA tensors.
    values: Any = data.untyped_storage()._share_cuda_()  # pyright: ignore[reportPrivateUsage]
    device, handle, nbytes, offset, counter, counter_offset, event, sync = values
    return Arena(data), CudaMemory(
        device=device,
        handle=handle,
        size=nbytes,
        offset=offset,
        counter=counter,
        counter_offset=counter_offset,
        event=event,
        event_sync=sync,
    )


def open_arena(handle: ArenaHandle) -> Arena:
    """Map an arena that another process owns (or, on the host, that both inherited)."""
    if isinstance(handle, SharedMemory):
        # Every page is mapped now: a first touch inside a timed call would be a page fault in it.
        return map_memory(handle.descriptor, handle.size, flags=mmap.MAP_POPULATE)
    torch.cuda.init()
    storage = torch.UntypedStorage._new_shared_cuda(  # pyright: ignore[reportPrivateUsage]
        handle.device,
        handle.handle,
        handle.size,
        handle.offset,
        handle.counter,
        handle.counter_offset,
        handle.event,
        handle.event_sync,
    )
    empty = torch.empty(0, dtype=torch.uint8, device=f"cuda:{handle.device}")
    return Arena(empty.set_(storage, 0, (handle.size,), (1,)))


def map_memory(descriptor: int, size: int, *, flags: int = 0) -> Arena:
    """Return an arena over shared host memory, mapped as far as it is touched."""
    memory = mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | flags)
    return Arena(torch.frombuffer(memory, dtype=torch.uint8))


def swap_memory(arena: Arena, descriptor: int, used: range) -> None:
    """Put other memory in the arena's place, at the same addresses; close the descriptor.

    used: bytes that are mapped at once; the rest is mapped when it is touched.
    """
    start, size = arena.data.data_ptr(), arena.data.numel()
    try:
        _call("mmap", start, size, mmap.PROT_READ | mmap.PROT_WRITE,
              mmap.MAP_SHARED | _MAP_FIXED, descriptor, 0)  # fmt: skip
    finally:
        os.close(descriptor)
    touch_memory(arena, used)


def touch_memory(arena: Arena, used: range) -> None:
    """Map these bytes of an arena on the host now, so that no timed call is first to touch them.

    Whoever shares the memory can have the kernel take its pages away from everybody.
    """
    start = arena.data.data_ptr()
    first = used.start // mmap.PAGESIZE * mmap.PAGESIZE
    # An old kernel does not know this advice; then the first touch maps a page.
    with contextlib.suppress(OSError):
        _call("madvise", start + first, used.stop - first, _MADV_POPULATE_WRITE)


def _call(name: str, *arguments: int) -> None:
    function = getattr(_LIBC, name)
    function.restype = ctypes.c_ssize_t
    function.argtypes = [ctypes.c_size_t, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long][
        : len(arguments)
    ]
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
