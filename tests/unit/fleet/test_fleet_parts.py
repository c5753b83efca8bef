"""The parts of a fleet that need no station: claims, slots, likeness, the words of --fleet."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from inline import Device, gpu
from msgspec.structs import replace

from roofmark.errors import BenchError
from roofmark.fleet import find
from roofmark.fleet.alike import choose_reference, unlike
from roofmark.fleet.claim import claim, claim_slot, cut_cores
from roofmark.fleet.local import visible_gpus
from roofmark.stations import host_of, station_id
from roofmark.testing import small_environment, small_study


def test_one_holder_per_name_and_none_after_a_kill():
    name = f"test/{os.getpid()}"
    held = claim(name, patience=0)
    with pytest.raises(BlockingIOError, match="another process holds"):
        claim("test/other", name, patience=0)
    claim("test/other", patience=0).release()  # the failed claim kept nothing
    held.release()
    code = (
        "import sys; from roofmark.fleet.claim import claim; held = claim(sys.argv[1]);"
        "print('held', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, name], **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            claim(name, patience=0)
        other.kill()
        other.wait()
    claim(name).release()


def test_slots_are_disjoint_and_run_out():
    cores = len(os.sched_getaffinity(0))
    taken = []
    try:
        for _ in range(cores):
            taken.append(claim_slot(cores, patience=0))
        assert len({core for _, own in taken for core in own}) == cores
        with pytest.raises(BlockingIOError, match="slots of cores are taken"):
            claim_slot(cores, patience=0)
        with pytest.raises(BlockingIOError):
            claim_slot(1, patience=0)  # whoever cuts otherwise still finds the cores held
    finally:
        for held, _ in taken:
            held.release()


def test_cores_are_cut_evenly():
    assert cut_cores((0, 1, 2, 3, 4), 2) == [(0, 1), (2, 3)]
    with pytest.raises(ValueError, match="3 slots were asked for; there are 2 cores"):
        cut_cores((0, 1), 3)


# --- likeness ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"memory": 80 * 2**30}, "gpu.memory is 80, not 131"),
        ({"multiprocessors": 114}, "gpu.multiprocessors is 114, not 132"),
        ({"mig": True}, "gpu.mig is True, not False"),
        ({"driver": "1"}, "gpu.driver is 1, not 580.159"),
    ],
)
def test_what_makes_another_model(change, told):
    one, other = Device(0).station, Device(1, **change).station
    assert unlike(one, other, "cuda", "graph") == told


def test_what_makes_another_software():
    one, other = Device(0).station, Device(1).station
    changed = replace(other.environment, packages={"torch": "2.12.0", "numpy": "2.3.0"})
    odd = replace(other, environment=changed)
    assert unlike(one, odd, "cuda", "graph") == "packages.torch is 2.12.0, not 2.13.0"
    assert "skips" in unlike(one, replace(other, skipped={"fla": "no fla"}), "cuda", "graph")
    assert unlike(one, replace(other, cores=(1,)), "cuda", "graph") == ""


def test_the_host_counts_where_it_is_timed():
    one = Device(0).station
    cpu = replace(one.environment.cpu, model="abacus")
    other = replace(one, environment=replace(one.environment, cpu=cpu))
    assert unlike(one, other, "cuda", "graph") == ""
    assert "abacus" in unlike(one, other, "cuda", "call")
    on_cpu = [replace(s, environment=replace(s.environment, device="cpu")) for s in (one, other)]
    assert "abacus" in unlike(*on_cpu, "cpu", "call")


def test_the_largest_group_is_the_reference():
    odd, *same = (Device(n, **({"name": "H100"} if n == 0 else {})).station for n in range(3))
    assert choose_reference([odd, *same], "cuda", "graph") is same[0]
    assert choose_reference([odd, same[0]], "cuda", "graph") is odd


def test_a_station_is_named_by_its_device():
    one, other = station_id("boot", "GPU-1"), station_id("boot", "GPU-2")
    assert one != other and host_of(one) == host_of(other)
    assert host_of(station_id("boot 2", "GPU-1")) != host_of(one)
    assert small_environment().gpu.uuid not in one and gpu(1).gpu.uuid == "GPU-1"


# --- words ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("words", ["locl", "local:0", "local:x", "local:-1", "auto:2", ""])
def test_words_that_mean_nothing(words):
    with ExitStack() as stack, pytest.raises(BenchError, match="RM340"):
        find.find_executor(words, small_study(), "cpu", stack=stack)


def test_more_stations_than_there_is_room_for():
    with ExitStack() as stack, pytest.raises(BenchError, match=r"RM340.*9999.*cores"):
        find.find_executor("local:9999", small_study(), "cpu", stack=stack)


def test_one_device_needs_no_fleet(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for there, expected in ((0, None), (1, None), (2, "local:2")):
        monkeypatch.setattr(find, "count_devices", lambda n=there: n)
        with ExitStack() as stack:
            found = find.find_executor("auto", small_study(), None, stack=stack)
            assert (found and found.words) == expected
            assert found is None or found.device == "cuda"


def test_gpus_are_named_within_what_is_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(2) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7, 3,5")
    assert visible_gpus(2) == ["GPU-7", "3"]


def test_a_cluster_that_does_not_answer_is_told_at_once():
    pytest.importorskip("ray")
    for words in ("ray:127.0.0.1:9", "ray://127.0.0.1:9"):
        with ExitStack() as stack, pytest.raises(BenchError, match=r"RM340.*127\.0\.0\.1:9"):
            find.find_executor(words, small_study(), None, stack=stack)


def test_a_fleet_on_ray_without_ray_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with ExitStack() as stack, pytest.raises(BenchError, match=r"(?s)RM340.*roofmark\[fleet\]"):
        find.find_executor("ray", small_study(), None, stack=stack)
