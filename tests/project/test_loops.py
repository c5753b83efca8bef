"""Loops of the evidence: every run that a journal cites is there, intact, and says so again."""

from pathlib import Path

import pytest

import roofmark as rm
from roofmark.analysis.judge import judge_over, judge_whole
from roofmark.analysis.promotion import sought
from roofmark.bundle import open_bundle
from roofmark.looping.journal import read_journal
from roofmark.looping.tries import Measured, Try

ROOT = Path(__file__).parents[2]
LOOPS = sorted((ROOT / "evidence/loops").iterdir())


def tries_of(loop):
    return [each for each in read_journal(loop) if isinstance(each, Try)]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda path: path.name)
def test_a_journal_says_what_its_bundles_say(loop):
    runs = [
        (loop / "tries" / f"{each.number:04}" / name, run)
        for each in tries_of(loop)
        for name, run in (("first", each.first), ("confirmation", each.confirmation))
        if isinstance(run, Measured)
    ]
    assert runs
    for folder, run in runs:
        bundle = open_bundle(folder)
        assert rm.verify(folder) == [] and bundle.digest == run.bundle
        told = judge_over(judge_whole(bundle), sought(bundle.study))
        candidate = next(each for each in told if each.solution == "candidate")
        assert candidate.decision == run.decision, folder
        assert candidate.speedup == run.speedup, folder


def test_no_try_is_without_an_ending_and_what_was_kept_was_confirmed():
    for loop in LOOPS:
        found = tries_of(loop)
        assert [each.number for each in found] == list(range(1, len(found) + 1))
        for each in found:
            assert (each.ending == "kept") == (
                isinstance(each.confirmation, Measured) and each.confirmation.decision == "faster"
            )


def test_the_search_made_thirty_tries_and_the_agent_met_every_ending():
    endings = {loop.name.split("-", 3)[3]: [e.ending for e in tries_of(loop)] for loop in LOOPS}
    search = endings["nvfp4-wo-stream-h200"]
    assert len(search) >= 30 and search.count("kept") == 1
    assert endings["agent-gdn-decode-h200"] == [
        "slower", "no_change", "incorrect", "incorrect", "refused", "crashed", "kept",
    ]  # fmt: skip
