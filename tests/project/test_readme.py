"""The README's figures follow from the evidence."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOISY = "2026-11-21-gdn-decode-cpu"  # a shared virtual machine with two cores


def test_the_table_is_what_the_bundle_gives():
    checked = subprocess.run(
        [sys.executable, ROOT / "tools/readme_table.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr or "run: python tools/readme_table.py --write"


def test_every_bundle_of_the_evidence_is_intact_and_decided():
    import roofmark as rm

    for bundle in sorted((ROOT / "evidence").glob("*/")):
        assert rm.verify(bundle) == []
        verdict = rm.judge(bundle)
        if bundle.name == NOISY:
            continue
        assert verdict.settled
        twins = [c for c in verdict.cells if c.solution.endswith("~twin")]
        assert {cell.decision for cell in twins} == {"same"}


def test_a_noisy_machine_decides_what_is_large_and_nothing_else():
    import roofmark as rm

    cells = rm.judge(ROOT / "evidence" / NOISY).cells
    decided = {(c.workload, c.solution): c.decision for c in cells}
    assert decided["B1", "simd"] == decided["B8", "simd"] == "faster"
    assert set(decided.values()) == {"faster", "undecided"}


@pytest.mark.parametrize("device", ["h200", "cpu"])
def test_the_planted_slow_down_is_found_and_its_copy_is_not(device: str):
    import roofmark as rm

    verdict = rm.judge(ROOT / f"evidence/2026-11-21-planted-slowdown-{device}")
    assert {each.solution: each.decision for each in verdict.overall} == {
        "slower": "slower",
        "copy": "same",
        "steady~twin": "same",
    }
