"""Values for one visit: drawn afresh, so that nothing seen before helps.

In: a layout, distributions, a seed string. Out: an arena whose inputs are filled and whose outputs
are poisoned. The same seed string gives the same values on the same kind of device.
"""

import hashlib
from collections.abc import Container, Iterable

import torch
from msgspec import UnsetType

from roofmark.bench.arena import Arena
from roofmark.bench.layout import Layout
from roofmark.study import Definition, Integers, Normal, Uniform, Values, Workload


def draw_inputs(
    arena: Arena,
    layout: Layout,
    values: dict[str, Values],
    *,
    slots: range,
    seed: str,
    kept: Container[str] = (),
) -> None:
    """Fill the inputs of these slots, but not `kept`, with values that only `seed` gives again."""
    generator = torch.Generator(device=arena.data.device)
    for place in layout.inputs:
        if place.name in kept:
            continue
        generator.manual_seed(_number(f"{seed}/{place.name}"))
        shape = (len(slots), *place.shape)
        arena.stacked(place, layout, slots).copy_(_draw(values[place.name], shape, generator))


def distributions(definition: Definition, workload: Workload) -> dict[str, Values]:
    """Return each input's distribution: the workload's, else the definition's, else normal."""
    own = {n: t.values for n, t in definition.inputs.items() if not isinstance(t.values, UnsetType)}
    return dict.fromkeys(definition.inputs, Normal()) | own | workload.values


def poison(arena: Arena, layout: Layout, slots: Iterable[int], seed: str) -> None:
    """Make every output byte of these slots wrong: NaN for floats, noise for the rest."""
    generator = torch.Generator(device=arena.data.device).manual_seed(_number(seed))
    for place in layout.outputs:
        floating = getattr(torch, place.dtype).is_floating_point
        for slot in slots:
            start = slot * layout.stride + place.offset
            target = arena.data[start : start + place.size]
            # 0xff in every byte is a NaN in every floating format that torch has.
            target.fill_(0xFF) if floating else target.random_(0, 256, generator=generator)


def _draw(values: Values, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    device = generator.device
    match values:
        case Normal(std=std, mean=mean, unit=unit):
            drawn = torch.randn(shape, generator=generator, device=device).mul_(std).add_(mean)
            return torch.nn.functional.normalize(drawn, dim=-1) if unit else drawn
        case Uniform(low=low, high=high):
            drawn = torch.rand(shape, generator=generator, device=device)
            return drawn.mul_(high - low).add_(low)
        case Integers(low=low, high=high):
            return torch.randint(low, high, shape, generator=generator, device=device)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")
