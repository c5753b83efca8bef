"""The memory that referee and workers share: one flat run of bytes, on the host or on a GPU.

In: a handle. Out: torch tensors over it. The referee owns the arena; workers map it. Views are
made from a `Layout`, so both sides agree on every address without exchanging any.
"""

import mmap
from typing import Any

import torch

from roofmark.bench.layout import Layout, Place
from roofmark.bench.messages import ArenaHandle, CudaMemory, SharedMemory


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
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        memory = mmap.mmap(handle.descriptor, handle.size, flags=flags)
        return Arena(torch.frombuffer(memory, dtype=torch.uint8))
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
