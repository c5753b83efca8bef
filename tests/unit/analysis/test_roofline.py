"""Roofline numerics against hand computation, on a made-up device with round figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofmark.analysis.roofline import (
    bandwidth_at,
    ceilings_for,
    copy_seconds,
    hard_floor,
    roof,
)
from roofmark.evidence import Ceiling, Cpu, Environment, Gpu
from roofmark.records import Missing

NONE = Missing(reason="made up")
MB = 10**6


def ceiling(quantity, value, size=None):
    return Ceiling(
        quantity=quantity,
        value=value,
        source=f"measured: {quantity}",
        size=NONE if size is None else size,
        measured=True,
    )


MEASURED = (
    ceiling("copy", 2e12, 20 * MB),  # 10 us
    ceiling("copy", 4e12, 120 * MB),  # 30 us
    ceiling("read", 4.4e12, 60 * MB),
    ceiling("launch", 1e-6),
    ceiling("launch:call", 5e-6),
    ceiling("arithmetic:bfloat16", 8e14),
    ceiling("arithmetic:float32", 5e13),
    ceiling("arithmetic:tf32", 4e14),
)


def machine(*, name="NVIDIA H200", ceilings=MEASURED, device="cuda", mig=False, cache=50 * MB):
    cpu = Cpu(
        model="cpu", cores=2, isa=(), last_level_cache=32 * MB, governor=NONE, memory=1, load=0.0,
        hypervisor=NONE,
    )  # fmt: skip
    gpu = Gpu(
        name=name, uuid="GPU-0", driver="580.0", compute_capability="9.0", multiprocessors=132,
        memory=1, last_level_cache=cache, power_limit=NONE, max_clock=NONE, persistence=NONE,
        mig=mig, other_processes=NONE,
    )  # fmt: skip
    return Environment(
        device=device, cpu=cpu, gpu=gpu, os="", python="", packages={}, tools={}, variables={},
        git=NONE, ceilings=tuple(ceilings),
    )  # fmt: skip


def test_memory_sets_the_floor_with_the_best_measured_bandwidth():
    found = roof(88 * MB, 10**9, 25e-6, machine(), dtype="bfloat16")
    assert found.floor == pytest.approx(88e6 / 4.4e12)  # 20 us, not the datasheet's 4.8 TB/s
    assert (found.limit, found.headroom) == ("memory", 1.25)
    assert found.rate == pytest.approx(88e6 / 25e-6)
    assert "read 4.40 TB/s, measured: read" in found.source


def test_arithmetic_sets_the_floor_at_the_peak_of_its_dtype():
    found = roof(MB, 8 * 10**11, 2e-3, machine(), dtype="bfloat16")
    assert (found.limit, found.floor, found.headroom) == ("arithmetic", 1e-3, 2.0)


def test_float32_may_run_as_tf32():
    found = roof(MB, 4 * 10**11, 2e-3, machine(), dtype="float32")
    assert found.floor == 1e-3
    assert found.source.startswith("arithmetic:tf32")


@pytest.mark.parametrize("dtype", [None, "int32"])
def test_without_a_peak_for_the_dtype_the_highest_counts(dtype):
    found = roof(MB, 4 * 10**12, 1.0, machine(ceilings=MEASURED[:-3]), dtype=dtype)
    assert found.source.startswith("arithmetic:float8")  # H200 datasheet: 1979 Tflop/s
    assert found.floor == pytest.approx(4e12 / 1979e12, rel=1e-5)


def test_launch_sets_the_floor_of_small_work():
    found = roof(4096, 4096, 3e-6, machine())
    assert (found.limit, found.floor, found.headroom) == ("launch", 1e-6, 3.0)


def test_the_datasheet_stands_in_where_nothing_was_measured():
    found = roof(48 * MB, 0, 20e-6, machine(ceilings=()))
    assert found.floor == pytest.approx(10e-6)
    assert "NVIDIA H200 Tensor Core GPU datasheet" in found.source


def test_beating_the_copy_is_a_headroom_below_one_and_not_impossible():
    beaten = roof(88 * MB, 0, 19e-6, machine())
    hard = hard_floor(88 * MB, 0, machine())
    assert beaten.headroom < 1
    assert hard.seconds == pytest.approx(88e6 / 4.8e12) and hard.seconds < 19e-6
    assert "datasheet" in hard.source


def test_hard_floor_takes_a_measurement_above_the_datasheet():
    fast = (*MEASURED, ceiling("read", 5e12, MB))
    assert hard_floor(50 * MB, 0, machine(ceilings=fast)).seconds == pytest.approx(1e-5)


def test_hard_floor_of_arithmetic_takes_any_dtype_and_ignores_launches():
    found = hard_floor(0, 1979 * 10**6, machine())
    assert found.limit == "arithmetic"
    assert found.seconds == pytest.approx(1e-6)
    assert hard_floor(0, 0, machine()).seconds == 0


@pytest.mark.parametrize(
    "there", [machine(name="NVIDIA H300"), machine(device="cpu"), machine(mig=True)]
)
def test_no_hard_floor_without_a_datasheet(there):
    assert isinstance(hard_floor(88 * MB, 0, there), Missing)
    assert roof(88 * MB, 0, 1e-3, there).limit == "memory"


def test_no_roof_without_any_bandwidth():
    found = roof(88 * MB, 0, 1e-3, machine(name="NVIDIA H300", ceilings=()))
    assert isinstance(found, Missing) and "H300" in found.reason


def test_warm_cache_counts_only_what_does_not_fit():
    warm = roof(94 * MB, 0, 20e-6, machine(), cache="warm")
    assert warm.floor == pytest.approx(44e6 / 4.4e12)
    assert hard_floor(98 * MB, 0, machine(), cache="warm").seconds == pytest.approx(1e-5)
    fits = roof(50 * MB, 0, 1e-6, machine(), cache="warm")
    assert isinstance(fits, Missing) and "50.00 MB" in fits.reason
    assert isinstance(roof(30 * MB, 0, 1.0, machine(device="cpu"), cache="warm"), Missing)


def test_nothing_to_do_has_no_roof():
    assert isinstance(roof(0, 0, 1e-6, machine(ceilings=MEASURED[:3])), Missing)


@pytest.mark.parametrize("bad", [(1, 1, 0.0), (1, 1, float("nan")), (-1, 1, 1.0), (1, -1, 1.0)])
def test_impossible_amounts_are_refused(bad):
    with pytest.raises(ValueError, match="no roof over"):
        roof(*bad, machine())


@pytest.mark.parametrize(
    ("size", "seconds"),
    [
        (20 * MB, 10e-6),
        (70 * MB, 20e-6),  # half way between 10 and 30 us
        (10 * MB, 5.5e-6),  # half way between the launch floor and 10 us
        (240 * MB, 60e-6),  # the rate of the largest
    ],
)
def test_copy_time_is_linear_between_measured_sizes(size, seconds):
    assert copy_seconds(size, MEASURED) == pytest.approx(seconds)
    assert bandwidth_at(size, MEASURED) == pytest.approx(size / seconds)


def test_no_copy_time_is_made_up():
    assert isinstance(copy_seconds(MB, MEASURED[:2]), Missing)  # below the smallest, no launch
    assert isinstance(bandwidth_at(MB, MEASURED[2:]), Missing)  # no copy at all
    assert isinstance(copy_seconds(0, MEASURED), Missing)


@given(st.integers(1, 10**10), st.integers(1, 10**10))
def test_a_larger_copy_never_takes_less_time(one, other):
    small, large = sorted((one, other))
    assert copy_seconds(small, MEASURED) <= copy_seconds(large, MEASURED) * (1 + 1e-12)


@given(st.integers(1, 10**10), st.integers(0, 10**14))
def test_headroom_is_time_over_floor_and_the_hard_floor_is_never_above(traffic, flops):
    found = roof(traffic, flops, 1.0, machine())
    assert found.headroom * found.floor == pytest.approx(1.0, rel=1e-5)
    assert hard_floor(traffic, flops, machine()).seconds <= found.floor * (1 + 1e-5)


def test_ceilings_for_a_cpu_are_the_measured_ones():
    assert ceilings_for(machine(device="cpu")) == MEASURED
    assert {c.quantity for c in ceilings_for(machine())} >= {"memory", "arithmetic:float8", "copy"}
