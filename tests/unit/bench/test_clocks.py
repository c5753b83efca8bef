"""Readings between visits, from made-up counters."""

import os
import time

import pytest
from machine_fakes import UUID, FakeNvml, machine

from roofmark.bench.clocks import (
    Ticks,
    open_clock_reader,
    parse_switches,
    parse_ticks,
    share_stolen,
)
from roofmark.evidence import CpuReading, GpuReading
from roofmark.records import Missing

PID = 77


def stat(user, stolen):
    return f"cpu  {user} 0 0 900 0 0 0 {stolen} 50 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n"


def status(switches):
    return f"Name:\tx\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t{switches}\n"


def files(*, user=100, stolen=0, threads=(5,)):
    tasks = {f"proc/{PID}/task/{PID + k}/status": status(n) for k, n in enumerate(threads)}
    return {"proc/stat": stat(user, stolen), "proc/loadavg": "0.50 0 0 1/1 1\n"} | tasks


def test_ticks_leave_out_guest_time():
    assert parse_ticks(stat(100, 7)) == Ticks(total=1007, stolen=7)


@pytest.mark.parametrize("text", ["", "cpu  1 2 3 4\n", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  a b\n"])
def test_stat_without_stolen_time_is_missing(text):
    assert isinstance(parse_ticks(text), Missing)


def test_stolen_share():
    assert share_stolen(Ticks(total=100, stolen=10), Ticks(total=300, stolen=60)) == 0.25
    assert share_stolen(Ticks(total=100, stolen=10), Ticks(total=100, stolen=10)) == 0.0
    # counters of a migrated guest may run backwards
    assert share_stolen(Ticks(total=100, stolen=10), Ticks(total=200, stolen=5)) == 0.0


def test_switches():
    assert parse_switches(status(12)) == 12
    assert isinstance(parse_switches("voluntary_ctxt_switches:\t9\n"), Missing)


def test_cpu_reading_is_what_happened_since_start(tmp_path):
    reader = open_clock_reader("cpu", host=machine(tmp_path, files(threads=(5, 7))))
    reader.start(PID)
    machine(tmp_path, files(user=150, stolen=50, threads=(6, 10)))
    assert reader.read(3.5) == CpuReading(at=3.5, stolen=0.5, preempted=4, load=0.5)
    assert reader.read(4.0) == CpuReading(at=4.0, stolen=0.0, preempted=0, load=0.5)


def test_cpu_reading_needs_a_start_and_a_living_process(tmp_path):
    reader = open_clock_reader("cpu", host=machine(tmp_path, files()))
    assert isinstance(reader.read(0.0), Missing)
    reader.start(PID + 1)
    gone = reader.read(0.0)
    assert isinstance(gone, Missing) and "/proc/78" in gone.reason


def test_cpu_reading_without_load_is_missing(tmp_path):
    reader = open_clock_reader("cpu", host=machine(tmp_path, files()))
    reader.start(PID)
    (tmp_path / "proc/loadavg").write_text("")
    assert isinstance(reader.read(0.0), Missing)


def test_container_without_stat_has_no_reader(tmp_path):
    found = open_clock_reader("cpu", host=machine(tmp_path))
    assert isinstance(found, Missing) and "/proc/stat" in found.reason


def test_this_machine_is_read_quickly():
    reader = open_clock_reader("cpu")
    if isinstance(reader, Missing):
        pytest.skip(reader.reason)
    reader.start(os.getpid())
    times = []
    for _ in range(20):
        start = time.perf_counter()
        assert isinstance(reader.read(1.0), CpuReading)
        times.append(time.perf_counter() - start)
    assert min(times) < 2e-3


def test_gpu_reading(tmp_path):
    host = machine(tmp_path, nvml=FakeNvml())
    reader = open_clock_reader("cuda", uuid=f"GPU-{UUID}", host=host)
    reader.start(1)
    assert reader.read(2.0) == GpuReading(
        at=2.0, sm_clock=1.755e9, memory_clock=3.201e9, temperature=41.0, power=250.5, throttle=4
    )


def test_gpu_reading_is_whole_or_absent(tmp_path):
    nvml = FakeNvml(DeviceGetPowerUsage=FakeNvml.NVMLError("GPU is lost"))
    host = machine(tmp_path, nvml=nvml)
    found = open_clock_reader("cuda", uuid=f"GPU-{UUID}", host=host).read(0.0)
    assert found == Missing(reason="NVML DeviceGetPowerUsage: GPU is lost")


def test_no_nvml_or_no_such_gpu_means_no_reader(tmp_path):
    assert isinstance(open_clock_reader("cuda", host=machine(tmp_path)), Missing)
    host = machine(tmp_path, nvml=FakeNvml())
    assert isinstance(open_clock_reader("cuda", uuid="GPU-other", host=host), Missing)
