"""Peaks that vendors publish for exactly this product, from `devices.toml`.

In: a `Gpu` as its driver shows it. Out: `Ceiling`s with document, table and address, or Missing
for a product that is not listed. A near relative is never taken: an H200 NVL is no H200, and
figures per class have misled by a factor of two to four.
"""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from roofmark.evidence import Ceiling, Gpu
from roofmark.records import Missing, Record
from roofmark.units import Bytes

_Peak = Annotated[float, Meta(gt=0)]


class Source(Record):
    """A public document of the vendor, and how its figures are to be read."""

    title: str
    table: str
    url: str
    conditions: str


class Product(Record):
    """What the vendor states about one product. Figures stand in `source` unless named apart."""

    names: tuple[str, ...]
    source: str
    memory: _Peak
    arithmetic: dict[str, _Peak]
    memory_source: str | UnsetType = UNSET
    l2: Bytes | UnsetType = UNSET
    l2_source: str | UnsetType = UNSET


class Catalogue(Record):
    """The whole of `devices.toml`."""

    source: dict[str, Source]
    device: dict[str, Product]


@lru_cache(maxsize=1)
def read_catalogue() -> Catalogue:
    """Return the catalogue that comes with this version. Raises: ValidationError if malformed."""
    text = files("roofmark.analysis").joinpath("devices.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Catalogue)


def find_product(gpu: Gpu) -> Product | Missing:
    """Return the entry of exactly this product."""
    if gpu.mig is True:
        return Missing(reason=f"{gpu.name} is partitioned (MIG); no datasheet describes a part")
    name = gpu.name.removeprefix("NVIDIA ")
    for product in read_catalogue().device.values():
        if name in product.names:
            return product
    return Missing(reason=f"no datasheet figures for {gpu.name!r} in devices.toml")


def datasheet_ceilings(gpu: Gpu) -> tuple[Ceiling, ...] | Missing:
    """Return the published peaks of memory and arithmetic."""
    product = find_product(gpu)
    if isinstance(product, Missing):
        return product
    memory_source = product.source if product.memory_source is UNSET else product.memory_source
    memory = _ceiling("memory", product.memory, memory_source)
    peaks = product.arithmetic.items()
    return (memory, *(_ceiling(f"arithmetic:{kind}", peak, product.source) for kind, peak in peaks))


def _ceiling(quantity: str, value: float, source: str) -> Ceiling:
    told = read_catalogue().source[source]
    return Ceiling(
        quantity=quantity,
        value=value,
        source=f"datasheet: {told.title}, {told.table} ({told.conditions}), {told.url}",
        size=Missing(reason="a datasheet states one figure for all sizes"),
        measured=False,
    )
