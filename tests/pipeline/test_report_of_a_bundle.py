"""From a sealed folder to a page, through the public names and the command line."""

import os
import subprocess
import sys

import pytest

import roofmark
from roofmark.testing import simulated_traces, small_environment, small_study, write_bundle


@pytest.fixture
def bundle(tmp_path):
    study = small_study(("cuda",), workloads=(1, 127))
    traces = simulated_traces(study, ratios={"cuda": 3.0})
    return write_bundle(tmp_path / "bundle", study, traces, small_environment())


def test_the_public_report_judges_and_writes(bundle, tmp_path):
    page = roofmark.report(bundle.path, path=tmp_path / "page.html")
    assert "as fast on both workloads" in page.read_text(encoding="utf-8")
    assert roofmark.judge(bundle.path).decision == "faster"
    with pytest.raises(roofmark.BundleError, match="RM409"):
        roofmark.report(bundle.path, path=page)


def test_a_report_leaves_the_bundle_as_it_was(bundle, tmp_path):
    roofmark.report(bundle, path=tmp_path / "page.md")
    assert roofmark.verify(bundle.path) == []


def test_the_command_line_prints_and_writes(bundle, tmp_path):
    page = tmp_path / "page.md"
    for words in (["judge", str(bundle.path)], ["report", str(bundle.path), "-o", str(page)]):
        done = subprocess.run(
            [sys.executable, "-c", "from roofmark.cli import console; console()", *words],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0, done.stderr
    assert page.read_text(encoding="utf-8").startswith("## rmsnorm")
    assert len(list((tmp_path / "page-charts").iterdir())) == 5
