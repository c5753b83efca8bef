"""Every bundle that is kept here is judged on a terminal of 80 columns, and no name is folded."""

from pathlib import Path

import pytest

from roofmark.analysis.judge import judge_bundle
from roofmark.bundle import open_bundle
from roofmark.reports.terminal import render_terminal
from roofmark.study import twin_of

EVIDENCE = Path(__file__).parents[3] / "evidence"
BUNDLES = sorted(each.parent for each in EVIDENCE.glob("*/manifest.json"))


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_a_verdict_fits_eighty_columns(path):
    bundle = open_bundle(path)
    verdict = judge_bundle(bundle)
    lines = render_terminal(verdict, bundle, width=80, colour=False).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    names = {each.solution for each in verdict.overall} - {twin_of(verdict.baseline)}
    for name in names:
        assert any(name in row[1:3] for row in rows), f"{name} is folded"
