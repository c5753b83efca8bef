"""Where each tensor of each call lies in the shared arena: pure arithmetic.

In: a definition, bound axes, a number of slots. Out: offsets. A slot holds the inputs and outputs
of one call; every timed call of a visit has a slot of its own, so its addresses are fresh and its
values were never seen.
"""

from dataclasses import dataclass
from math import prod

from roofmark.study import DTYPE_BYTES, Definition, Tensor

# Source: torch's CUDA caching allocator aligns to 512 bytes, so views here are aligned as in use.
ALIGNMENT = 512


@dataclass(frozen=True)
class Place:
    """One tensor inside a slot."""

    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes that the tensor takes."""
        return prod(self.shape) * DTYPE_BYTES[self.dtype]


@dataclass(frozen=True)
class Layout:
    """A slot's inputs and outputs, and how far slots lie apart."""

    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    stride: int

    @property
    def touched(self) -> int:
        """Bytes of one slot that a call may touch."""
        return sum(place.size for place in (*self.inputs, *self.outputs))


def plan_layout(definition: Definition, axes: dict[str, int]) -> Layout:
    """Return the layout of one slot for these axes."""
    offset = 0
    places: list[Place] = []
    for name, tensor in (*definition.inputs.items(), *definition.outputs.items()):
        place = _place(name, tensor, axes, offset)
        places.append(place)
        offset = _aligned(offset + place.size)
    count = len(definition.inputs)
    return Layout(tuple(places[:count]), tuple(places[count:]), offset)


def plan_slots(layout: Layout, *, calls: int, cache: int, budget: int) -> int:
    """Return how many slots a visit that rotates through a cache of `cache` bytes needs.

    Chosen: twice the cache, so that no slot survives until its next use even in part; at least
    `calls`, and at most 128, which bounds the nodes of a captured graph.
    """
    rotation = -(-2 * cache // layout.touched)
    return max(2, min(max(calls, min(rotation, 128)), budget // layout.stride))


def _place(name: str, tensor: Tensor, axes: dict[str, int], offset: int) -> Place:
    return Place(name, offset, tensor.dims(axes), tensor.dtype)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
