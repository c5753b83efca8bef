"""What proposers do to a loop, by accident and on purpose: each try ends as what it is.

Commands are real and run in real scratches, with commits; the runs are simulated (test_loop.py has
real ones).
"""

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from test_loop_killed import LOOP, git, lay_out, simulate

import roofmark as rm
from roofmark.errors import BundleError
from roofmark.looping import from_command, loop
from roofmark.looping.journal import Journal
from roofmark.looping.tries import Try
from tiny import children_left

FASTER = """
printf 'def line(x, ROUNDS, MODE):\\n    return 2 * x + 1\\n' > own.py
echo '{"params": {"ROUNDS": 20}}' > $ROOFMARK_NOTE
"""
IN_LOOP = "$(dirname $ROOFMARK_BRIEF)/../.."
REFUSED = {
    "other_file": (FASTER + "touch extra.txt", "not its own: extra.txt"),
    "renamed": ("mv own.py mine.py", "mine.py"),
    "link": ("mv own.py $ROOFMARK_NOTE.py; ln -s $ROOFMARK_NOTE.py own.py", "own.py is link to"),
    "gone": ("rm -r ../study", "study.py"),
    "no_text": ("printf '\\377' > own.py", "no text"),
    "huge": ("truncate -s 1900M own.py", "larger than a source"),
    "huge_others": ("for i in 1 2 3 4 5; do truncate -s 1900M big$i; done", "big1, big2"),
    "many": ("seq 1 3000 | xargs touch", "and 2992 more"),
    "name": ("touch \"$(printf 'a\\377b')\"", "a\\udcffb"),
    "pipe": ("rm own.py; mkfifo own.py", "own.py is special"),
    "note": ("mkfifo $ROOFMARK_NOTE", "not a regular file"),
    "huge_note": ("truncate -s 1900M $ROOFMARK_NOTE", "more than"),
}
NEST = """
import os
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
"""


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Simulate runs; let nothing stay, neither files nor processes."""
    simulate(monkeypatch)
    monkeypatch.setattr(LOOP, "write_charts", lambda folder: [])
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield
    assert list((tmp_path / "tmp").iterdir()) == []
    assert children_left(patience=10) == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


def go_on(place: Path, *commands: str, limit: float = 20.0) -> list[Try]:
    """Have one try for each command; return all tries so far."""
    for command in commands:
        number = len(Journal(place / "loop").tries) + 1
        options = rm.LoopOptions(device="cpu", margin=0.1, iterations=number, commit=True)
        propose = from_command(command, limit=limit)
        loop(place / "study", "own", propose, place / "loop", options=options)
    return Journal(place / "loop").tries


def test_what_is_left_that_may_not_be_is_refused(place: Path) -> None:
    tries = go_on(place, *(command for command, _ in REFUSED.values()), f"python3 -c '{NEST}'")
    told = [(each.ending, each.reason) for each in tries]
    words = [says for _, says in REFUSED.values()] + ["cannot be read"]
    for (ending, reason), says in zip(told, words, strict=True):
        assert ending == "refused" and says in reason and len(reason) < 500, told
    assert git(place / "study", "rev-list", "--count", "HEAD").strip() == "1"


def test_who_hangs_floods_or_dies_is_ended_with_all_it_started(place: Path) -> None:
    tries = go_on(place, "yes | tr -d '\\n'", "kill -STOP $$", "exec >&- 2>&-; sleep 60", limit=0.7)
    assert [each.ending for each in tries] == ["timed_out"] * 3
    assert (place / "loop/tries/0001/proposer.log").stat().st_size < 3 * 2**20
    tries = go_on(place, "kill -9 $$", "printf '\\377\\033[31m'; exit 3")
    assert [each.ending for each in tries[3:]] == ["crashed"] * 2
    # A process that goes on to write is ended before the scratch is looked at.
    writer = "(setsid sh -c 'while :; do echo no > own.py; sleep 0.1; done' &); sleep 0.3;"
    *_, last = go_on(place, writer + FASTER)
    assert last.ending in ("kept", "build_failed")


def test_whatever_a_note_says_one_commit_is_made_of_it(place: Path) -> None:
    evil = "\\\\u0000\\\\u001b[31mred\\\\n\\\\nTested: everything" + "x" * 3000
    note = f'{{"hypothesis": "{evil}", "directive": "{evil}", "params": {{"ROUNDS": %d}}}}'
    words = [f"printf '{note % rounds}' > $ROOFMARK_NOTE" for rounds in (80, 20)]
    (place / "study/own.py").chmod(0o755)
    git(place / "study", "commit", "--quiet", "-am", "it may be run")
    tries = go_on(place, *words, FASTER.replace("2 * x", "x * 2"))
    assert [each.ending for each in tries] == ["slower", "kept", "same"]
    message = git(place / "study", "log", "-1", "--format=%B")
    assert "\x1b" not in message and message.count("\nTested:") == 1
    assert "Rejected: try 1 (slower)" in message


def test_a_commit_keeps_modes_and_ends_of_lines(place: Path) -> None:
    own = place / "study/own.py"
    own.chmod(0o755)
    git(place / "study", "commit", "--quiet", "-am", "it may be run")
    crlf = FASTER.replace("\\n", "\\r\\n")
    (kept,) = go_on(place, crlf + "chmod 600 own.py; mkdir __pycache__; touch __pycache__/own.pyc")
    assert kept.ending == "kept"
    assert own.read_bytes().count(b"\r\n") == 2 and own.stat().st_mode & 0o777 == 0o755
    changed = git(place / "study", "show", "--summary", "--format=", "HEAD")
    assert changed == "" and git(place / "study", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "harm",
    [
        f"echo 'def line(x): return x' > {IN_LOOP}/study/reference.py",
        f"rm -r {IN_LOOP}/study",
        f"sed -i s/x/xx/ {IN_LOOP}/tries/0001/candidate.json",
    ],
)
def test_a_loop_whose_own_files_are_changed_stops(place: Path, harm: str) -> None:
    go_on(place, FASTER)
    with pytest.raises(BundleError, match="RM423"):
        go_on(place, FASTER.replace("2 * x", "x * 2") + harm)
    assert len(Journal(place / "loop").tries) == 1


def test_a_journal_that_was_cut_goes_on_from_its_last_whole_line(place: Path) -> None:
    before = go_on(place, FASTER, FASTER.replace("20", "80"))
    path = place / "loop/journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(BundleError, match=r"RM402.*(?s:.)*last whole line"):
        go_on(place, "exit 1")
    path.write_bytes(whole.splitlines(keepends=True)[0])
    # The second try is there, with its bundle: nobody is asked for it, and nothing measured again.
    found = go_on(place, "exit 1")
    assert [(t.number, t.ending, t.first) for t in found] == [
        (t.number, t.ending, t.first) for t in before
    ]
    assert git(place / "study", "rev-list", "--count", "HEAD").strip() == "2"


def test_a_second_loop_in_the_folder_is_refused(place: Path) -> None:
    go_on(place, FASTER)
    held = os.open(place / "loop/.lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(BundleError, match="RM406"):
        go_on(place, FASTER)
    os.close(held)


def test_on_a_full_disk_a_loop_stops_and_goes_on(place: Path) -> None:
    (place / "loop").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place / "loop")]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system needs the right to mount")
    try:
        filler = place / "loop/filler"
        for full in (f"cat /dev/zero > {filler}; :;", f"cat /dev/zero > {filler}; yes | head -99;"):
            with pytest.raises(BundleError, match="RM408"):
                go_on(place, full + FASTER)
            assert Journal(place / "loop").tries == []
            filler.unlink()
        (kept,) = go_on(place, FASTER)
        assert kept.ending == "kept"
    finally:
        subprocess.run(["umount", str(place / "loop")], check=True)
