"""Put the last-level cache into the state that the protocol names, before each timed call.

In: a device and the number of bytes to write. Out: a cache that holds nothing of the slots (cold)
or all of one slot's inputs (warm). Every timed call has a slot of its own, so one flush per visit
leaves all of them cold.
"""

from collections.abc import Iterable
from typing import Any

import torch


class Flusher:
    """A buffer larger than the last-level cache, and the act of writing it."""

    def __init__(self, size: int, device: torch.device) -> None:
        """Allocate `size` bytes on `device`."""
        buffer = torch.zeros(max(size, 4) // 4, dtype=torch.int32, device=device)
        # On a host numpy writes it: torch would wake its threads, which go on spinning for
        # milliseconds and take the cores from a solution that brings threads of its own.
        self._buffer: Any = buffer if buffer.is_cuda else buffer.numpy()

    def flush(self) -> None:
        """Write every byte: a write takes its line in the cache from whatever was there."""
        self._buffer += 1


def warm(tensors: Iterable[torch.Tensor]) -> None:
    """Read every byte of `tensors`, so that the cache holds what of them fits."""
    for tensor in tensors:
        if tensor.layout is torch.strided and tensor.is_contiguous() and tensor.numel():
            # A reduction has to read each element; max of bytes cannot overflow.
            tensor.reshape(-1).view(torch.uint8).max()
        else:
            # What `prepare` returns may be empty, strided or sparse; a copy reads all of those.
            tensor.clone()
