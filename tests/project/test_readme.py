"""The README's figures follow from the evidence."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
        assert verdict.settled
        twins = [c for c in verdict.cells if c.solution.endswith("~twin")]
        assert {cell.decision for cell in twins} == {"same"}


def test_the_planted_slow_down_is_found_and_its_copy_is_not():
    import roofmark as rm

    verdict = rm.judge(ROOT / "evidence/2026-11-21-planted-slowdown-h200")
    assert {each.solution: each.decision for each in verdict.overall} == {
        "slower": "slower",
        "copy": "same",
        "steady~twin": "same",
    }
