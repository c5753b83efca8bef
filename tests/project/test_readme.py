"""The READMEs' figures follow from the evidence."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from judging import judged

import roofmark as rm

ROOT = Path(__file__).resolve().parents[2]
NOISY = "2026-11-21-gdn-decode-cpu"  # a shared virtual machine with two cores
ENGINES = "2026-11-30-decode-engine-8b-h200"  # three process sets of four: no verdict, and tables
# Decode is decided and prefill, which the host launches, is not.
ENGINES_LEGS = {
    "2026-11-30-decode-engine-8b-legs-h200",
    "2026-11-30-decode-engine-8b-legs-h200-again",
}
ENGINES_KERNEL = "2026-11-30-decode-engine-8b-kernel-h200"  # three sets, on a host too busy (RM517)
# Two cores that others use, too: tg16 is decided, pp64 and the twin are not.
ENGINES_CPU = {"2026-11-30-decode-engine-cpu", "2026-11-30-decode-engine-cpu-again"}
# The confirmation of a loop: what its candidate does not touch stays undecided at 99 % within 1 %.
LAUNCH = "2026-11-30-gdn-decode-launch-h200"
CONFIRM = "2026-11-30-nvfp4-wo-stream-confirm-h200"  # two process sets, asked for right answers
# Four sets over two devices, and the same question on one of them until its time was up.
TWO_SETS_A_DEVICE = {"2026-11-30-gdn-decode-fleet-h200", "2026-11-30-gdn-decode-one-h200"}
# Where a host's own time is measured, a shared host shows; what it decides is far beyond that.
HOST_TIME = "2026-11-21-w4a16-gemm-call-tier-h200"


def test_every_table_is_what_the_bundles_give():
    checked = subprocess.run(
        [sys.executable, ROOT / "tools/readme_table.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr + "run: python tools/readme_table.py --write"


def test_every_table_that_is_made_stands_in_a_readme(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    tables = importlib.import_module("readme_table")
    shown = "".join(each.read_text() for each in (ROOT / "studies").glob("**/README.md"))
    assert {name for _, name, _ in tables.MARKED.findall(shown)} == set(tables.TABLES)
    start, end = "<!-- table: launch-overhead-tiers -->\n", "<!-- end of table -->\n"
    filled = tables.fill(f"{start}| D2048 | graph | 1 µs |\n{end}")
    assert filled.removeprefix(start) in shown and "592.6 µs" in filled
    with pytest.raises(ValueError, match="no table is called 'none'"):
        tables.fill(f"<!-- table: none -->\n{end}")


def test_what_w4a16_says_of_its_targets_follows_from_the_bundle():
    verdict = judged(ROOT / "evidence/2026-11-30-w4a16-gemm-h200")
    cuda = {c.workload: c for c in verdict.cells if c.solution == "cuda"}
    lines = (ROOT / "studies/w4a16_gemm/README.md").read_text().splitlines()
    few = {name: [cuda[f"{name}-b{m}"] for m in (1, 4, 8)] for name in ("8b", "70b-tp2")}
    for start, target, reached in (
        ("| 2.5x cuBLAS", 2.5, [c.speedup.value for c in few["8b"]]),
        ("| 3x cuBLAS", 3.0, [c.speedup.value for c in few["70b-tp2"]]),
        ("| 1.4x of", 1.4, [c.roof.headroom for c in few["70b-tp2"]]),
        ("| no worse at M = 128", 1.0, [cuda[f"{n}-b128"].speedup.value for n in few]),
    ):
        line = next(each for each in lines if each.startswith(start))
        digits = 3 if target == 1.0 else 2
        assert ", ".join(f"{each:.{digits}f}x" for each in reached) in line
        for each in reached:
            missed = each / target - 1 if target == 1.4 else 1 - each / target
            assert missed < 0 or f"{100 * missed:.0f} %" in line


@pytest.mark.parametrize("name", ["w4a16-gemm", "nvfp4-wo", "launch-overhead"])
def test_no_number_of_a_study_is_contradicted_by_its_bundle(name: str):
    readme = ROOT / "studies" / name.replace("-", "_") / "README.md"
    bundles = sorted((ROOT / "evidence").glob(f"*-{name}-*h200"))
    command = ["-c", "from roofmark.cli import console; console()", "cite", "--faults"]
    done = subprocess.run(
        [sys.executable, *command, readme, *bundles], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert bundles and " 0 contradicted" in done.stdout


def test_every_bundle_of_the_evidence_is_intact_and_decided():
    import roofmark as rm

    for bundle in sorted(each.parent for each in (ROOT / "evidence").glob("*/manifest.json")):
        assert rm.verify(bundle) == []
        verdict = judged(bundle)
        if bundle.name in {NOISY, ENGINES, ENGINES_KERNEL, CONFIRM} | ENGINES_CPU | ENGINES_LEGS:
            continue
        twins = [c.decision for c in verdict.cells if c.solution.endswith("~twin")]
        if bundle.name == LAUNCH:
            gains = {c.workload for c in verdict.cells if c.decision == "faster"}
            assert gains == {"B63", "B64"} and set(twins) == {"same", "undecided"}
            continue
        if bundle.name in TWO_SETS_A_DEVICE:
            assert set(twins) <= {"same", "undecided"}
            continue
        assert verdict.settled
        undecided = twins.count("undecided")
        assert len(twins) == twins.count("same") + undecided
        assert undecided <= 0.02 * len(twins) or bundle.name == HOST_TIME


def test_a_heavy_wrapper_loses_by_the_host_and_a_split_wins_by_what_is_active():
    heavy = judged(ROOT / "evidence" / HOST_TIME)
    bounds = {c.solution: getattr(c.bound, "kind", "") for c in heavy.cells}
    assert bounds["host_heavy"] == bounds["cuda"] == "host"
    assert {c.decision for c in heavy.cells if c.solution == "host_heavy"} == {"slower"}
    split = judged(ROOT / "evidence/2026-11-21-nvfp4-wo-h200")
    told = {each.name: (each.decision, each.confounded) for each in split.contrasts}
    assert told["grid"] == ("same", False) and told["active"] == ("faster", False)
    assert told["both"] == ("faster", True)


def test_a_graph_hides_an_allocation_and_not_a_launch():
    verdict = judged(ROOT / "evidence/2026-11-21-launch-overhead-h200")
    told = {each.name: each.decision for each in verdict.contrasts}
    assert told == {"packing": "faster", "workspace": "same"}


def test_a_graph_leaves_one_launch_to_a_token():
    from roofmark.analysis.leg_tables import main_kind, rows_of

    bundle = rm.open_bundle(ROOT / "evidence" / ENGINES)
    assert {c.decision for c in judged(bundle.path).cells} == {"undecided"}
    tables = {each.solution: each.outcome for each in bundle.tables()}
    launched = {
        name: (p.launches / p.tokens, p.graph_launches / p.tokens) for name, p in tables.items()
    }
    replayed = ("graphs", "graphs-rms", "graphs-slowed")
    assert launched == {"static": (1654, 0)} | dict.fromkeys(replayed, (1, 1))
    for name, profile in tables.items():
        rows = rows_of(profile, main_kind(profile)).rows
        kernels = 1199 if name in ("graphs-rms", "graphs-slowed") else 1654
        assert sum(row.calls for row in rows) == kernels * profile.tokens


def test_decode_replicates_and_prefill_is_undecided_twice():
    from roofmark.analysis.replicate import replicate

    runs = [rm.open_bundle(ROOT / "evidence" / name) for name in sorted(ENGINES_LEGS)]
    verdicts, places = [judged(each.path) for each in runs], [each.environment for each in runs]
    found = replicate(*verdicts, *places, studies=(runs[0].study, runs[1].study))
    assert (found.outcome, found.differences) == ("undecided", ())
    told = {(c.solution, c.workload): (c.outcome, c.original, c.size) for c in found.cells}
    assert told["static", "tg128"] == ("reproduced", "slower", "agrees")
    assert told["graphs-rms", "tg128"] == ("reproduced", "faster", "agrees")
    assert told["static", "pp512"][0] == told["graphs-rms", "pp512"][0] == "undecided"


def test_what_nvfp4_says_of_its_target_follows_from_the_bundle():
    verdict = judged(ROOT / "evidence/2026-11-30-nvfp4-wo-stream-h200")
    stream = next(c for c in verdict.cells if c.solution == "stream")
    readme = (ROOT / "studies/nvfp4_wo/README.md").read_text()
    launch = 1.11e-6
    share, target = 1 / stream.roof.headroom, stream.roof.floor / 0.8
    alone = stream.roof.floor / (stream.time.value - launch)
    for said in (
        f"{100 * share:.0f} % of the measured read rate ({stream.roof.headroom:.2f}x of the floor)",
        f"the target was 80 %, {1e6 * target:.2f} µs",
        f"takes {100 * (stream.time.value / target - 1):.0f} % longer",
        f"{1e6 * (stream.roof.floor + launch):.2f} µs already",
        f"it would be {100 * alone:.0f} %",
    ):
        assert said in readme
    assert {c.decision for c in verdict.contrasts} == {"undecided"}
    confirmed = judged(ROOT / "evidence" / CONFIRM)
    assert {c.decision for c in confirmed.cells if c.solution == "stream"} == {"faster"}


def test_a_noisy_machine_decides_what_is_large_and_nothing_else():
    cells = judged(ROOT / "evidence" / NOISY).cells
    decided = {(c.workload, c.solution): c.decision for c in cells}
    assert decided["B1", "simd"] == decided["B8", "simd"] == "faster"
    assert set(decided.values()) == {"faster", "undecided"}


@pytest.mark.parametrize("device", ["h200", "cpu"])
def test_the_planted_slow_down_is_found_and_its_copy_is_not(device: str):
    verdict = judged(ROOT / f"evidence/2026-11-21-planted-slowdown-{device}")
    assert {each.solution: each.decision for each in verdict.overall} == {
        "slower": "slower",
        "copy": "same",
        "steady~twin": "same",
    }
