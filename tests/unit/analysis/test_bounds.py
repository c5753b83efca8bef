"""What limits a kernel: the order of the questions, the field's calibration points."""

from pathlib import Path

import pytest

import roofmark as rm
from roofmark.analysis.bounds import Loads, classify, loads_of_profile
from roofmark.analysis.verdict import Bound
from roofmark.foreign import Metric, Profile
from roofmark.records import Missing

EVIDENCE = Path(__file__).resolve().parents[3] / "evidence"


def _kind(**loads: float | bool) -> str:
    found = classify(Loads(origin="timing", **loads))  # pyright: ignore[reportArgumentType]
    assert isinstance(found, Bound)
    return found.kind


@pytest.mark.parametrize(
    ("sm", "mem", "dram", "kind"),
    [
        (0.91, 0.70, 0.16, "compute"),  # a large matrix product
        (0.19, 0.73, 0.73, "memory"),  # a reduction
        (0.74, 0.12, 0.03, "compute"),  # elementwise with much arithmetic
        (0.20, 0.28, 0.24, "latency"),  # a decode step with one sequence
        (0.02, 0.08, 0.005, "latency"),  # four thread blocks
        (0.30, 0.85, 0.05, "on-chip"),
    ],
)
def test_counters_of_the_field_get_the_field_s_word(sm: float, mem: float, dram: float, kind: str):
    found = classify(Loads(origin="counters", math=sm, chip=mem, memory=dram))
    assert isinstance(found, Bound)
    assert (found.kind, found.evidence) == (kind, "counters")
    assert found.confirm and found.advice


def test_questions_are_asked_in_order():
    everything = {"host": 0.6, "launch": 0.6, "memory": 0.9, "math": 0.9}
    assert _kind(**everything) == "host"
    assert _kind(**everything | {"host": 0.1}) == "launch"
    assert _kind(**everything | {"host": 0.1, "launch": 0.1}) == "memory"
    assert _kind(launch=0.1, memory=0.1, math=0.9) == "compute"


def test_copy_speed_at_a_small_size_is_latency_and_at_a_large_one_memory():
    assert _kind(launch=0.3, memory=0.45, copied=0.95, math=0.01) == "latency"
    assert _kind(launch=0.05, memory=0.9, copied=0.97, math=0.01) == "memory"


def test_a_working_set_that_stays_in_the_cache_is_on_chip():
    assert _kind(launch=0.1, memory=0.0, math=0.1, resident=True) == "on-chip"


def test_what_is_not_known_never_becomes_a_bound():
    found = classify(Loads(origin="timing"))
    assert isinstance(found, Bound)
    assert found.kind == "unknown" and isinstance(found.headroom, Missing)
    assert any("RM204" in each for each in found.lacking)


def _profile(**metrics: tuple[float | str | Missing, str]) -> Profile:
    return Profile(
        kernel="k",
        launch=0,
        grid=(4, 1, 1),
        block=(256, 1, 1),
        duration=1e-3,
        metrics={n.replace("__", " "): Metric(value=v, unit=u) for n, (v, u) in metrics.items()},
    )


@pytest.mark.parametrize("label", ["Memory__Throughput", "Max__Bandwidth"])
def test_the_busiest_unit_is_not_taken_for_main_memory(label: str):
    loads = loads_of_profile(_profile(**{label: (55.95, "%")}))
    assert isinstance(loads, Loads)
    assert loads.chip == 0.5595 and isinstance(loads.memory, Missing)


def test_a_rate_is_no_share_and_nan_is_no_counter():
    told = _profile(
        Memory__Throughput=(1.57, "Tbyte/s"), DRAM__Throughput=(Missing(reason="nan"), "%")
    )
    assert isinstance(loads_of_profile(told), Missing)


def test_a_decode_step_crosses_from_launch_to_memory_as_its_batch_grows():
    cells = rm.judge(EVIDENCE / "2026-11-21-gdn-decode-h200").cells
    seen = {(c.workload, c.solution): c.bound for c in cells}
    kinds = {place: bound.kind for place, bound in seen.items() if isinstance(bound, Bound)}
    assert kinds["B1", "cuda"] == "launch" and kinds["B4", "cuda"] == "latency"
    assert {kinds[f"B{b}", "cuda"] for b in (16, 32, 48, 64)} == {"memory"}
    assert kinds["B64", "eager~twin"] == "latency"
