"""Citing: a text's numbers against evidence, by value, by unit, by label."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark.analysis.cite import Citations, check_text
from roofmark.citing import cite
from roofmark.cli import FAILS, HOLDS, console

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)
KERNELS = """kernel_symbol,n_calls,mean_us,p50_us,total_ms
gemm,100,250.0,240.0,25.000
softmax,50,20,19,1.000
"""


def _cite(folder: Path, text: str) -> Citations:
    (folder / "summary.md").write_text(text)
    (folder / "kernels.csv").write_text(KERNELS)
    return cite(folder / "summary.md", folder)


def _status(folder: Path, text: str) -> str:
    found = _cite(folder, text).citations
    return ", ".join(f"{each.status} {each.fault}".strip() for each in found)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("The gemm kernel takes 250.0 µs on average.", "supported"),
        ("The gemm kernel takes 300.0 µs on average.", "contradicted wrong value"),
        ("The gemm kernel takes 250.0 ms on average.", "contradicted wrong unit"),
        ("The weather was 17.3 µs.", "not derivable"),
        ("Written on 2026-11-21 with version 1.2.3.", ""),
    ],
)
def test_a_claim_about_a_kernel(tmp_path: Path, text: str, status: str):
    assert _status(tmp_path, text) == status


def test_the_command_ends_by_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number, code in (("250.0", HOLDS), ("300.0", FAILS)):
        _cite(tmp_path, f"gemm takes {number} µs on average.")
        files = [str(tmp_path / name) for name in ("summary.md", "kernels.csv")]
        monkeypatch.setattr("sys.argv", ["roofmark", "cite", *files])
        with pytest.raises(SystemExit) as ended:
            console()
        assert ended.value.code == code


def test_a_bundle_is_evidence(tmp_path: Path):
    text = tmp_path / "pr.md"
    text.write_text("On workload B1 cuda is 17.20x as fast as eager.")
    bundle = Path(__file__).resolve().parents[3] / "evidence/2026-11-21-gdn-decode-h200"
    found = cite(text, bundle)
    ratios = [each.status for each in found.citations if each.claim.unit in ("x", "×")]
    assert ratios == ["supported"]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="0123456789.,%x|-# \nµsmgeGB/()*`", max_size=300))
def test_no_text_crashes_it(text: str):
    assert check_text("t.md", text, []).count("contradicted") == 0


@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
def test_a_published_summary():
    folder = CASES / "wo-k-parallel"
    found = {}
    for each in cite(folder / "summary.md", folder).citations:
        found.setdefault(each.claim.text, f"{each.status} {each.fault}".strip())
    for printed in ("13754", "5176", "2693", "1639"):
        assert found[printed] == "contradicted wrong value"
    assert found["8.06%"] == "contradicted wrong label"
    assert found["98.33%"] == found["8.33%"] == "supported"
