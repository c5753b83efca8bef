"""The parts of a loop, without a run."""

import math
import os
import random
from pathlib import Path

import pytest
from msgspec import UNSET

from roofmark.errors import BundleError, StudyError
from roofmark.looping import Proposal, from_command, from_folder
from roofmark.looping.change import diff_of, find_refusal, fingerprint
from roofmark.looping.commit import check_work_tree, commit_kept
from roofmark.looping.duel import confirmation_level
from roofmark.looping.files import copy_tree, snapshot
from roofmark.looping.journal import Journal
from roofmark.looping.proposers import ProposalFailed
from roofmark.looping.tries import Interrupted, Note, Try, Version
from roofmark.records import Missing

ABSENT = Missing(reason="not measured")


def proposal(tmp_path: Path, number: int = 1) -> Proposal:
    folder = tmp_path / "scratch"
    folder.mkdir(exist_ok=True)
    return Proposal(
        number=number,
        folder=folder,
        files=("a.py",),
        params={},
        brief=tmp_path / "brief.json",
        note=tmp_path / "note.json",
        log=tmp_path / "log",
    )


def version(text: str, **params: int) -> Version:
    return Version(files={"a.py": text}, params=params)


def test_the_budget_of_any_number_of_confirmations_is_alpha():
    spent = [1 - confirmation_level(0.05, [False] * earlier) for earlier in range(1000)]
    assert spent[0] == pytest.approx(0.025) and all(each > 0 for each in spent)
    assert 0.0499 < math.fsum(spent) < 0.05


def test_what_was_kept_hands_its_share_on_and_what_failed_does_not():
    def spent(*confirmed):
        return (1 - confirmation_level(0.05, confirmed)) / 0.05

    assert spent(True) == pytest.approx(1 / 2 + 1 / 6)
    assert spent(True, True) == pytest.approx(1 / 2 + 1 / 6 + 1 / 12)
    assert spent(True, False) == pytest.approx(1 / 12)
    assert spent(False, True) == pytest.approx(1 / 6 + 1 / 12)
    assert spent(*[True] * 1000) < 1


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_kept_before_it_false_ones_have_alpha_between_them(seed):
    """The levels of candidates without a gain, none of them kept, sum to alpha at most."""
    rng, confirmed, without = random.Random(seed), [], []
    for _ in range(200):
        gain = rng.random() < 0.5
        if not gain:
            without.append(1 - confirmation_level(0.05, confirmed))
        confirmed.append(gain and rng.random() < 0.8)
    assert math.fsum(without) <= 0.05


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({"a.py": b"1"}, ""),
        ({"a.py": b"2"}, ""),
        ({"a.py": b"1", "new.py": b""}, "new.py"),
        ({}, "a.py is missing"),
        ({"a.py": "link to /etc/passwd"}, "link"),
        ({"a.py": b"\xff"}, "no text"),
    ],
)
def test_only_its_own_files_may_change(after, says):
    before = {"a.py": b"1", "study.py": b"s"}
    assert (says in find_refusal(before, after | {"study.py": b"s"}, ("a.py",))) and (
        bool(says) == bool(find_refusal(before, after | {"study.py": b"s"}, ("a.py",)))
    )
    assert "study.py" in find_refusal(before, after | {"study.py": b"t"}, ("a.py",))


def test_a_comment_is_no_new_program_where_python_shows_it():
    one = version("x = 1")
    assert fingerprint(one) == fingerprint(version("x  =  1  # one"))
    assert fingerprint(one) != fingerprint(version("x = 2"))
    assert fingerprint(one) != fingerprint(version("x = 1", N=1))
    assert fingerprint(version("x = 1", N=1)) != fingerprint(version("x = 1", N=2))
    assert fingerprint(Version(files={"a.cu": "int x;"})) != fingerprint(
        Version(files={"a.cu": "int x; // one"})
    )
    assert "+x = 2" in diff_of(one, version("x = 2")).splitlines()
    assert diff_of(version("x", N=1, M=2), version("x", N=3, M=2)).splitlines()[-3:] == [
        "-N = 1", "+N = 3", " M = 2",
    ]  # fmt: skip


def test_a_copy_leaves_the_loop_and_caches_behind(tmp_path):
    source = tmp_path / "study"
    for name in ("a.py", "loop/journal.jsonl", "__pycache__/a.pyc", "sub/b.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    (source / "link").symlink_to("a.py")
    copy_tree(source, tmp_path / "copy", without=source / "loop")
    found = snapshot(tmp_path / "copy")
    assert found == {"a.py": b"x", "sub/b.py": b"x", "link": "link to a.py"}


def test_a_command_changes_the_scratch_and_leaves_a_note(tmp_path):
    command = (
        'echo "x = 2" > a.py; echo "$ROOFMARK_BRIEF"; '
        'echo \'{"hypothesis": "h", "predicted": 1.5}\' > "$ROOFMARK_NOTE"'
    )
    asked = proposal(tmp_path)
    note = from_command(command, limit=20)(asked)
    assert note == Note(hypothesis="h", predicted=1.5) and note.tokens is UNSET
    assert (asked.folder / "a.py").read_text() == "x = 2\n"
    assert asked.log.read_text().strip() == str(asked.brief)


@pytest.mark.parametrize(
    ("command", "ending", "says"),
    [
        ("sleep 60 & sleep 60", "timed_out", "0.5 s"),
        ("echo why; exit 7", "crashed", "7: why"),
        ('echo "[" > "$ROOFMARK_NOTE"', "refused", "note"),
    ],
)
def test_a_command_that_fails_is_told(tmp_path, command, ending, says):
    with pytest.raises(ProposalFailed, match=says) as failed:
        from_command(command, limit=0.5 if ending == "timed_out" else 20)(proposal(tmp_path))
    assert failed.value.ending == ending


def test_a_folder_is_tried_in_order_and_ends(tmp_path):
    folder = tmp_path / "candidates"
    with pytest.raises(StudyError, match="RM130"):
        from_folder(folder)
    (folder / "2").mkdir(parents=True)
    (folder / "1.py").write_text("one")
    (folder / "2/a.py").write_text("two")
    propose, seen = from_folder(folder), []
    for number in (1, 2):
        asked = proposal(tmp_path, number)
        assert not propose(asked).stop
        seen.append((asked.folder / "a.py").read_text())
    assert seen == ["one", "two"] and propose(proposal(tmp_path, 3)).stop


def a_try(number: int, ending: str) -> Try:
    return Try(
        number=number,
        against=0,
        ending=ending,
        reason="a | b",
        note=Note(hypothesis="h", predicted=1.1),
        params={},
        diff="",
        fingerprint="f",
        binary=ABSENT,
        same_as=ABSENT,
        first=ABSENT,
        confirmation=ABSENT,
        seconds=1.0,
        device_seconds=0.0,
    )


def test_a_journal_is_read_back_and_edits_of_it_do_not_last(tmp_path):
    journal = Journal(tmp_path)
    for entry in (a_try(1, "kept"), Interrupted(number=2, stage="proposing")):
        journal.append(entry)
    (tmp_path / "journal.jsonl").write_text("{}\n")
    journal.append(a_try(2, "slower"))
    again = Journal(tmp_path)
    assert again.entries == journal.entries and again.best == 1
    assert [each.number for each in again.tries] == [1, 2]
    ledger = (tmp_path / "ledger.md").read_text()
    assert "| 1 | study | h | 1.1x |  |  |  | kept | 0 s | a \\| b |" in ledger
    assert "try 2 while proposing" in ledger
    (tmp_path / "journal.jsonl").write_text("{}\n")
    with pytest.raises(BundleError, match="RM402"):
        Journal(tmp_path)


def test_a_commit_is_made_on_top_of_the_incumbent_only(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.fspath(tmp_path))
    with pytest.raises(BundleError, match="RM421"):
        check_work_tree(tmp_path)
    (tmp_path / "a.py").write_text("theirs")
    with pytest.raises(BundleError, match="somebody else"):
        commit_kept(tmp_path, {"a.py": "one"}, {"a.py": "two"}, "m")
    assert (tmp_path / "a.py").read_text() == "theirs"
