"""Every committed bundle, of whatever format: intact, judged as it was, and refused where newer.

verdicts.json holds what was said of each when it was committed; write it again with
`python tests/project/test_formats.py` after a rule or an estimate was mended on purpose.
"""

import json
import sys
from pathlib import Path

import pytest

import roofmark as rm
from roofmark.errors import BundleError
from roofmark.evidence import Passed
from roofmark.records import FORMAT, Missing

sys.path.insert(0, str(Path(__file__).parent))
from judging import ROOT, judged

GOLDEN = Path(__file__).with_name("verdicts.json")
BUNDLES = sorted(each.parent for each in (ROOT / "evidence").glob("*/manifest.json"))


def said(bundle):
    """What a reader remembers of a verdict."""
    verdict = judged(bundle)
    return {
        "bundle": verdict.bundle,
        "decision": verdict.decision,
        "overall": {each.solution: each.decision for each in verdict.overall},
        "cells": {f"{c.solution} on {c.workload}": c.decision for c in verdict.cells},
        "moved by": sorted({f.code for f in verdict.findings if f.moves}),
    }


def format_of(bundle):
    return json.loads((bundle / "manifest.json").read_bytes())["format"]


def test_every_format_is_among_them():
    assert {format_of(each) for each in BUNDLES} == set(range(1, FORMAT + 1))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda each: each.name)
def test_an_old_bundle_says_what_it_said(bundle):
    assert rm.verify(bundle) == []
    assert said(bundle) == json.loads(GOLDEN.read_text())[bundle.name]


def test_no_bundle_is_forgotten():
    assert set(json.loads(GOLDEN.read_text())) == {each.name for each in BUNDLES}


def test_what_an_old_format_lacks_is_missing_with_its_reason():
    for bundle in (each for each in BUNDLES if format_of(each) == 1):
        outcomes = (trace.outcome for trace in rm.open_bundle(bundle).traces())
        memory = next(each.memory for each in outcomes if isinstance(each, Passed))
        assert isinstance(memory.host, Missing) and "not observed" in memory.host.reason


@pytest.mark.parametrize("newer", [FORMAT + 1, 99])
def test_a_newer_format_is_refused_and_told_from_damage(tmp_path, newer):
    manifest = json.loads((BUNDLES[0] / "manifest.json").read_bytes())
    later = manifest | {"format": newer, "roofmark": "9.0.0", "a later field": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(later))
    with pytest.raises(BundleError) as caught:
        rm.judge(tmp_path)
    assert caught.value.code == "RM405"
    assert f"format {newer}" in str(caught.value) and "Update roofmark" in str(caught.value)


if __name__ == "__main__":
    found = {each.name: said(each) for each in BUNDLES}
    GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
