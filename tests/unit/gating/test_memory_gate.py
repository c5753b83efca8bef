"""Memory: old evidence and old pins as they were, and what a growth does to a gate."""

import json

import pytest
from msgspec.structs import replace

from roofmark import gating
from roofmark.analysis.memory_gate import SLACK
from roofmark.analysis.pinning import is_intact, sealed
from roofmark.cli import main
from roofmark.evidence import NO_MEMORY, Memory, MemoryUse, Passed, Trace
from roofmark.records import Missing, decode, encode
from roofmark.testing import simulated_traces, small_environment, small_study, write_bundle

STUDY = small_study(("fast",), workloads=(1, 4096))
ABSENT = Missing(reason="the run was on the CPU")
MIB = 2**20


def run(folder, sizes, device="cpu"):
    """Write a bundle; sizes: solution -> MiB in each process, in turn."""

    def touched(trace):
        taken = sizes.get(trace.solution)
        if taken is None or not isinstance(trace.outcome, Passed):
            return trace
        peak = taken[trace.process % len(taken)] * MIB
        use = MemoryUse(before=300 * MIB, bound=300 * MIB, peak=300 * MIB + peak)
        memory = Memory(host=use, allocator=ABSENT, driver=ABSENT)
        if device == "cuda":
            memory = Memory(host=ABSENT, allocator=use, driver=use)
        return replace(trace, outcome=replace(trace.outcome, memory=memory))

    traces = simulated_traces(STUDY, ratios={"fast": 2.0}, seed=1, device=device)
    environment = small_environment(device)
    return write_bundle(folder, STUDY, [touched(each) for each in traces], environment)


def gated(tmp_path, was, now, device="cpu", **options):
    old = run(tmp_path / "old", {"fast": was, "eager": was}, device)
    new = run(tmp_path / "new", {"fast": now, "eager": was}, device)
    return gating.gate_memory(new, gating.pin(old, tmp_path / "pin.json"), **options)


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ([100], [100], "pass"),
        ([100], [50], "pass"),
        ([100], [113], "pass"),
        ([100], [115], "fail"),
        ([100, 120], [115], "pass"),
        ([100], [100, 130], "undecided"),
        ([0], [3], "pass"),
        ([0], [512], "fail"),
    ],
)
def test_a_growth_beyond_margin_and_slack_fails(tmp_path, was, now, expected):
    gate = gated(tmp_path, was, now)
    found = {cell.decision for cell in gate.cells if cell.solution == "fast"}
    assert (found, gate.decision) == ({expected}, expected)
    assert {cell.observer for cell in gate.cells} == {"host"} and gate.slack == SLACK
    assert {cell.decision for cell in gate.cells if cell.solution == "eager"} == {"pass"}


def test_a_gpu_has_two_observers_and_a_margin_of_one_s_own(tmp_path):
    gate = gated(tmp_path, [100], [130], "cuda", margin=0.5)
    assert gate.decision == "pass"
    assert {cell.observer for cell in gate.cells} == {"allocator", "driver"}


def test_what_was_pinned_and_is_not_observed_is_undecided(tmp_path):
    gate = gated(tmp_path, [100], [100])
    assert gate.decision == "pass"
    blind = run(tmp_path / "blind", {})
    assert gating.gate_memory(blind, tmp_path / "pin.json").decision == "undecided"


def test_a_trace_of_format_1_reads_as_missing(tmp_path):
    trace = next(iter(run(tmp_path / "b", {}).traces()))
    old = json.loads(encode(trace))
    old["outcome"].pop("memory", None)  # Defaults are not written.
    read = decode(json.dumps(old).encode(), Trace, where="old")
    assert read.outcome.memory == NO_MEMORY
    assert "not observed" in read.outcome.memory.host.reason


def test_a_pin_without_memory_stays_intact_and_gates_none(tmp_path):
    bundle = run(tmp_path / "b", {})
    pin = gating.pin(bundle, tmp_path / "pin.json")
    assert "memory" not in json.loads((tmp_path / "pin.json").read_text())["cells"][0]
    assert is_intact(pin) and gating.gate_memory(bundle, pin) is None
    grown = replace(pin.cells[0], memory={"host": (1,)})
    assert sealed(replace(pin, cells=(grown, *pin.cells[1:]))).sha256 != pin.sha256


def test_the_command_gates_it_beside_times(tmp_path, capsys):
    gated(tmp_path, [100], [200])
    words = ["gate", str(tmp_path / "new"), "--baseline", str(tmp_path / "pin.json")]
    assert main(words) == 1
    assert "fail       n1/fast (host)" in capsys.readouterr().out
    assert main([*words, "--no-memory"]) == 0
    assert main([*words, "--memory-margin", "0.99", "-s", "fast", "--json"]) == 0
    assert main([*words, "--memory-margin", "2"]) == 2
