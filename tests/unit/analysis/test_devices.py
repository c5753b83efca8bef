"""The catalogue of datasheet peaks: every figure has a source, no product is mistaken."""

import pytest

from roofmark.analysis.devices import datasheet_ceilings, find_product, read_catalogue
from roofmark.evidence import Gpu
from roofmark.records import Missing

KINDS = {"float64", "float32", "tf32", "bfloat16", "float16", "float8", "float4", "int8"}


def gpu(name="NVIDIA H200", *, mig=False):
    none = Missing(reason="made up")
    return Gpu(
        name=name, uuid="GPU-0", driver="580.0", compute_capability="9.0", multiprocessors=132,
        memory=1, last_level_cache=1, power_limit=none, max_clock=none, persistence=none,
        mig=mig, other_processes=none,
    )  # fmt: skip


def entries():
    return read_catalogue().device.items()


@pytest.mark.parametrize(("key", "product"), entries())
def test_every_figure_has_a_source(key, product):
    sources = read_catalogue().source
    used = [product.source, product.memory_source, product.l2_source]
    for name in filter(None, used):
        told = sources[name]
        assert told.title and told.table and told.conditions
        assert told.url.startswith("https://") and "nvidia.com" in told.url
    assert bool(product.l2) == bool(product.l2_source)


@pytest.mark.parametrize(("key", "product"), entries())
def test_figures_are_plausible(key, product):
    assert set(product.arithmetic) <= KINDS
    assert 1e11 < product.memory < 1e13
    order = ["float64", "float32", "tf32", "bfloat16", "float8", "float4"]
    peaks = [product.arithmetic[kind] for kind in order if kind in product.arithmetic]
    assert peaks == sorted(peaks), "narrower operands are never slower"
    assert all(1e12 < peak < 2e16 for peak in peaks)


def test_sources_are_all_used_and_names_are_unique():
    used = {s for _, p in entries() for s in (p.source, p.memory_source, p.l2_source) if s}
    assert used == set(read_catalogue().source)
    names = [name for _, product in entries() for name in product.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "memory", "bfloat16"),
    [
        ("NVIDIA H200", 4.8e12, 989.5e12),
        ("NVIDIA H200 NVL", 4.8e12, 835.5e12),
        ("NVIDIA H100 80GB HBM3", 3.35e12, 989.5e12),
        ("NVIDIA H100 PCIe", 2.0e12, 756.5e12),
        ("NVIDIA H100 NVL", 3.9e12, 835.5e12),
        ("NVIDIA A100-SXM4-40GB", 1.555e12, 312e12),
        ("A100-SXM4-40GB", 1.555e12, 312e12),
        ("NVIDIA A100 80GB PCIe", 1.935e12, 312e12),
        ("NVIDIA B200", 8e12, 2.25e15),
        ("NVIDIA GeForce RTX 5090", 1.792e12, 209.5e12),
    ],
)
def test_products_are_told_apart(name, memory, bfloat16):
    product = find_product(gpu(name))
    assert (product.memory, product.arithmetic["bfloat16"]) == (memory, bfloat16)


@pytest.mark.parametrize(
    "name",
    ["NVIDIA H200 MIG 1g.18gb", "NVIDIA GH200 480GB", "NVIDIA GeForce RTX 4090 D", "H20", "",
     "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA H100", "nvidia h200", "NVIDIA B200 NVL"],
)  # fmt: skip
def test_a_relative_is_not_taken(name):
    found = datasheet_ceilings(gpu(name))
    assert isinstance(found, Missing) and repr(name) in found.reason


def test_a_partition_has_no_datasheet():
    assert isinstance(find_product(gpu(mig=True)), Missing)


def test_ceilings_name_document_table_and_conditions():
    memory, *rest = datasheet_ceilings(gpu())
    assert (memory.quantity, memory.value, memory.measured) == ("memory", 4.8e12, False)
    assert {each.quantity for each in rest} >= {"arithmetic:float8", "arithmetic:bfloat16"}
    assert all("datasheet: NVIDIA H200" in each.source and "sparsity" in each.source
               for each in (memory, *rest))  # fmt: skip
