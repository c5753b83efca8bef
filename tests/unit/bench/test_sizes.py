"""Slots for batches alone: where they are cheap, and an arena that holds all of them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

import roofmark as rm
from roofmark.bench.sizes import Sizes
from roofmark.records import Missing
from roofmark.study import Device


def _sizes(*, device: Device = "cpu", weights: tuple[str, ...] = ()) -> tuple[Sizes, Any]:
    """A study of 8 calls; a slot of workload n takes 2 n KiB."""
    definition = rm.Definition(
        name="any", axes={"n": rm.VAR},
        inputs={"x": rm.Tensor("256*n", "float32")}, outputs={"y": rm.Tensor("256*n", "float32")},
        reference="r.py::f", tolerance=rm.Exact(), flops="n", traffic="n", weights=weights,
    )  # fmt: skip
    study = rm.Study(
        definition=definition, workloads=tuple(rm.Workload(axes={"n": n}) for n in (4, 1024, 8192)),
        solutions=(rm.Solution("a", "a.py::f"),), baseline="a", protocol=rm.Protocol(calls=8),
    )  # fmt: skip
    cpu = SimpleNamespace(last_level_cache=2**20, memory=2**33)
    none = Missing(reason="no GPU")
    return Sizes(study, device, cast(Any, SimpleNamespace(cpu=cpu, gpu=none))), study.workloads


@pytest.mark.parametrize(("at", "spare"), [(0, 24), (1, 8), (2, 0)])
def test_a_cpu_has_more_slots_for_batches_while_they_are_small(at: int, spare: int) -> None:
    sizes, workloads = _sizes()
    assert (sizes.slots(workloads[at]), sizes.spare(workloads[at])) == (8, spare)
    stride = sizes.layout(workloads[at]).stride
    assert sizes.arena([workloads[at]], workers=3) == (3 + 8 + spare) * stride


@pytest.mark.parametrize("more", [{"device": "cuda"}, {"weights": ("x",)}])
def test_none_on_a_gpu_and_none_that_weights_would_be_prepared_for(more: dict[str, Any]) -> None:
    sizes, workloads = _sizes(**more)
    assert sizes.spare(workloads[0]) == 0
