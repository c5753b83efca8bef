"""The gate's claims, on fewer trials than `benchmarks/gate.py` takes by itself."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from roofmark.bundle import open_bundle
from roofmark.testing import small_study

ROOT = Path(__file__).parents[2]
TRIALS = 12


@pytest.fixture(scope="module")
def benchmark():
    """Load benchmarks/gate.py, which mends the path of a script for itself."""
    spec = importlib.util.spec_from_file_location("gate_benchmark", ROOT / "benchmarks/gate.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", ["", *sys.path])
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def simulated(benchmark, host, slower):
    tally, rng = benchmark.Tally(), random.Random(11)
    for _ in range(TRIALS):
        found = benchmark.simulated_gate(
            small_study(("fast",)), benchmark.HOSTS[host], "speedup", rng, slower
        )
        tally.add(*found)
    return tally


def test_where_hosts_differ_ratios_raise_no_alarm_and_a_fixed_share_of_means_does(benchmark):
    tally = simulated(benchmark, "GPU, hosts differ by 2 %", 1.0)
    assert tally.share("fail") == 0 and tally.trials == TRIALS
    assert tally.means > 0


def test_3_percent_is_caught_where_hosts_differ_and_means_miss_it(benchmark):
    tally = simulated(benchmark, "GPU, hosts differ by 2 %", 1.03)
    assert tally.share("fail") == 1
    assert tally.means < TRIALS


def test_10_percent_is_caught_on_a_shared_processor(benchmark):
    tally = simulated(benchmark, "shared CPU, hosts differ by 5 %", 1.10)
    assert tally.share("fail") == 1 and tally.trials > TRIALS // 2


@pytest.mark.parametrize("device", ["h200", "cpu"])
def test_recorded_processes_raise_no_alarm_and_a_planted_slow_down_does(benchmark, device):
    bundle = open_bundle(ROOT / f"evidence/2026-11-21-planted-slowdown-{device}")
    traces = list(bundle.traces())
    processes, rng = benchmark.processes_of(traces), random.Random(5)
    planted = benchmark.PLANTED[bundle.run.device]
    for _ in range(TRIALS):
        rng.shuffle(processes)
        half = len(processes) // 2
        old, new = (benchmark.dealt(traces, p) for p in (processes[:half], processes[half:]))
        assert benchmark.recorded_gate(bundle, old, new, "speedup", guarded=False)[0] != "fail"
        whole = benchmark.dealt(traces, processes)
        slower = benchmark.stretched(whole, lambda name: planted if name == "copy" else 1.0)
        assert benchmark.recorded_gate(bundle, whole, slower, "speedup")[0] == "fail"
