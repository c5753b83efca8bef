"""A loop with real processes on the CPU, killed in the middle, and what it keeps.

One study, one loop for all: each candidate has one ending that is right.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import roofmark as rm
from roofmark.bundle import open_bundle
from roofmark.cli import main
from roofmark.errors import BundleError
from roofmark.looping import from_folder
from roofmark.looping.journal import Journal
from roofmark.looping.tries import Interrupted, Measured, Try
from roofmark.records import Missing
from tiny import children_left, write_study

ROUNDS = "def line(x):\n    for _ in range({}):\n        y = 2 * x + 1\n    return y\n"
# So far apart that two process sets show it on any host.
SLOW, SLOWER = ROUNDS.format(1500), ROUNDS.format(9000)
FAST = ROUNDS.format(3)
WRONG = "def line(x):\n    return 2 * x\n"
HANGS = """
import time

def line(x):
    time.sleep(60)
    return 2 * x + 1
"""
CANDIDATES = {
    "1-comment.py": "# the same program\n" + SLOW,
    "2-wrong.py": WRONG,
    "3-cheat/slow.py": FAST,
    "3-cheat/reference.py": WRONG,
    "4-slower.py": SLOWER,
    "5-again.py": SLOWER + "# once more\n",
    "6-fast.py": FAST,
    "7-hangs.py": HANGS,
    "8-typo.py": "def line(x)\n",
    "9-crash.py": "import os\n\ndef line(x):\n    os.abort()\n",
}
ENDINGS = [
    "no_change", "incorrect", "refused", "slower", "repeated", "kept", "timed_out", "build_failed",
    "crashed",
]  # fmt: skip


pytestmark = pytest.mark.slow


def _write(folder: Path) -> None:
    """Lay out a study in a git work tree, and the candidates."""
    study = write_study(
        folder / "study",
        {"slow": SLOW},
        wrong={"off": WRONG},
        sizes=(16384, 8192),
        limit=4.0,
        build_limit=8.0,
    )
    text = (study / "study.py").read_text()
    held_out = 'rm.Workload(axes={"n": n}, held_out=n == 8192)'
    text = text.replace('rm.Workload(axes={"n": n})', held_out)
    text = text.replace("blocks=2, calls=2", "blocks=3, calls=7")
    # What a busy host of tests does: the differences here are tenfold.
    busy = tuple(f"RM3{n:02}" for n in (3, 4, 5, 6, 7, 9, 10, 11, 12, 14))
    text = text.replace('baseline="honest"', f'baseline="honest", accept={busy}')
    (study / "study.py").write_text(text)
    for name, source in CANDIDATES.items():
        path = folder / "candidates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    _git(study, "init", "--quiet")
    _git(study, "config", "user.name", "a test")
    _git(study, "config", "user.email", "test@localhost")
    _git(study, "add", ".")
    _git(study, "commit", "--quiet", "-m", "begin")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def _options() -> rm.LoopOptions:
    return rm.LoopOptions(device="cpu", margin=0.1, iterations=20, commit=True)


def _kill_in_the_middle(folder: Path) -> None:
    """Start the loop by its command; kill it while the sixth try is being measured."""
    code = "import sys; from roofmark.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "loop", str(folder / "study"), "--solution", "slow",
             "--candidates", str(folder / "candidates"), "-o", str(folder / "loop"),
             "--iterations", "20", "--device", "cpu", "--margin", "0.1", "--commit"]  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    begun = folder / "loop/tries/0006/first/traces/n16384/candidate.jsonl"
    deadline = time.monotonic() + 240
    while not begun.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert begun.exists() and not (folder / "loop/tries/0006/first/manifest.json").exists()
    assert not children_left(process.pid, patience=20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    _write(folder)
    _kill_in_the_middle(folder)
    begun = (folder / "loop/tries/0006/first/traces/n16384/candidate.jsonl").read_bytes()
    proposer = from_folder(folder / "candidates")
    rm.loop(folder / "study", "slow", proposer, folder / "loop", options=_options())
    # What was measured before the kill is still there, and what came after follows it.
    after = (folder / "loop/tries/0006/first/traces/n16384/candidate.jsonl").read_bytes()
    assert after.startswith(begun) and len(after) > len(begun)
    return folder


@pytest.fixture(scope="module")
def tries(place: Path) -> list[Try]:
    return Journal(place / "loop").tries


def test_each_candidate_has_its_ending(tries: list[Try]) -> None:
    told = [(each.number, each.ending, each.reason) for each in tries]
    # Which of the two it is hangs on how quiet the host is when the first sets are looked at.
    endings = ["slower" if each.ending == "hopeless" else each.ending for each in tries]
    assert endings == ENDINGS, told
    assert [each.number for each in tries] == list(range(1, 10))
    assert "reference.py" in tries[2].reason
    assert "try 4" in tries[4].reason and tries[4].same_as == 4
    # What is wrong or dies leaves after a process set or two.
    for number in (2, 9):
        first = tries[number - 1].first
        assert isinstance(first, Measured) and first.processes <= 2
    assert [each.against for each in tries] == [0] * 6 + [6] * 3


def test_what_is_kept_was_confirmed_apart(place: Path, tries: list[Try]) -> None:
    kept = tries[5]
    assert isinstance(kept.first, Measured) and isinstance(kept.confirmation, Measured)
    assert (kept.first.level, kept.confirmation.level) == (0.95, 0.975)
    assert (kept.first.workloads, kept.confirmation.workloads) == (1, 2)
    runs = [open_bundle(place / "loop/tries/0006" / name) for name in ("first", "confirmation")]
    assert [run.digest for run in runs] == [kept.first.bundle, kept.confirmation.bundle]
    assert runs[0].run.entropy != runs[1].run.entropy
    assert {t.solution for t in runs[1].traces() if t.role == "wrong"} == {"off"}
    assert (place / "loop/best/slow.py").read_text() == FAST
    assert isinstance(tries[6].confirmation, Missing)


def test_a_kill_is_told_and_counts_for_nothing(place: Path) -> None:
    entries = Journal(place / "loop").entries
    cut = [each for each in entries if isinstance(each, Interrupted)]
    assert cut == [Interrupted(number=6, stage="measuring")]
    assert "Interrupted, and not counted: try 6" in (place / "loop/ledger.md").read_text()
    sessions = open_bundle(place / "loop/tries/0006/first").run.sessions
    assert len(sessions) == 2 and isinstance(sessions[0].ended, Missing)


def test_one_commit_of_exactly_its_files(place: Path, tries: list[Try]) -> None:
    study, kept = place / "study", tries[5].confirmation
    assert _git(study, "rev-list", "--count", "HEAD").strip() == "2"
    assert _git(study, "show", "--name-only", "--format=", "HEAD").split() == ["slow.py"]
    assert _git(study, "status", "--porcelain") == ""
    message = _git(study, "log", "-1", "--format=%B")
    assert isinstance(kept, Measured) and isinstance(kept.speedup, rm.Estimate)
    assert kept.bundle in message and f"{kept.speedup.value:.4g}x" in message
    trailers = _git(study, "log", "-1", "--format=%(trailers:only,unfold)").split("\n")
    assert [line.partition(":")[0] for line in trailers if line] == [
        "Constraint", "Rejected", "Confidence", "Scope-risk", "Reversibility", "Directive",
        "Tested", "Not-tested",
    ]  # fmt: skip
    assert f"try 4 ({tries[3].ending})" in message and "2 workloads (1 held out)" in message


def test_a_finished_loop_does_nothing_again(place: Path, tries: list[Try]) -> None:
    before = (place / "loop/journal.jsonl").read_bytes()
    proposer = from_folder(place / "candidates")
    again = rm.loop(place / "study", "slow", proposer, place / "loop", options=_options())
    assert again == tries and (place / "loop/journal.jsonl").read_bytes() == before
    assert _git(place / "study", "rev-list", "--count", "HEAD").strip() == "2"
    other = rm.LoopOptions(device="cpu", margin=0.2)
    with pytest.raises(BundleError, match="RM422"):
        rm.loop(place / "study", "slow", proposer, place / "loop", options=other)


def test_the_brief_says_where_it_stands(place: Path) -> None:
    text = (place / "loop/tries/0007/brief.md").read_text()
    assert "The best so far is try 6:" in text and "refused" in text
    assert "for _ in range(3)" in text and "n16384" in text


def test_status_shows_the_ledger(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loop", "status", str(place / "loop")]) == 0
    shown = capsys.readouterr()
    assert shown.out == (place / "loop/ledger.md").read_text()
    assert "9 tries, 1 kept; best is try 6" in shown.err
    assert main(["loop", "status", str(place)]) == 2
