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
from tiny import children_left, write_study

import roofmark as rm
from roofmark.bundle import open_bundle
from roofmark.errors import BundleError
from roofmark.looping import from_folder
from roofmark.looping.journal import Journal
from roofmark.looping.tries import Interrupted, Measured, Try
from roofmark.records import Missing

ROUNDS = "def line(x):\n    for _ in range({}):\n        y = 2 * x + 1\n    return y\n"
SLOW, SLOWER = ROUNDS.format(40), ROUNDS.format(400)
FAST = "def line(x):\n    return 2 * x + 1\n"
WRONG = "def line(x):\n    return 2 * x\n"
HANGS = "import time\n\ndef line(x):\n    time.sleep(60)\n    return 2 * x + 1\n"
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
}
ENDINGS = [
    "no_change", "incorrect", "refused", "slower", "refused", "kept", "timed_out", "build_failed",
]  # fmt: skip


def _write(folder: Path) -> None:
    """Lay out a study in a git work tree, and the candidates."""
    study = write_study(
        folder / "study", {"slow": SLOW}, wrong={"off": WRONG}, sizes=(16384, 8192), limit=2.0
    )
    text = (study / "study.py").read_text()
    held_out = 'rm.Workload(axes={"n": n}, held_out=n == 8192)'
    text = text.replace('rm.Workload(axes={"n": n})', held_out)
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
    """Start the loop by its command; kill it while the fourth try is being measured."""
    words = [sys.executable, "-m", "roofmark.cli", "loop"] if False else []
    code = "import sys; from roofmark.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "loop", str(folder / "study"), "--solution", "slow",
             "--candidates", str(folder / "candidates"), "-o", str(folder / "loop"),
             "--iterations", "20", "--device", "cpu", "--margin", "0.1", "--commit"]  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    begun = folder / "loop/tries/0004/first/traces/n16384/candidate.jsonl"
    deadline = time.monotonic() + 120
    while not begun.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert begun.exists() and not (folder / "loop/tries/0004/first/manifest.json").exists()
    assert not children_left(process.pid, patience=20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    _write(folder)
    _kill_in_the_middle(folder)
    begun = (folder / "loop/tries/0004/first/traces/n16384/candidate.jsonl").read_bytes()
    proposer = from_folder(folder / "candidates")
    rm.loop(folder / "study", "slow", proposer, folder / "loop", options=_options())
    # What was measured before the kill is still there, and what came after follows it.
    after = (folder / "loop/tries/0004/first/traces/n16384/candidate.jsonl").read_bytes()
    assert after.startswith(begun) and len(after) > len(begun)
    return folder


@pytest.fixture(scope="module")
def tries(place: Path) -> list[Try]:
    return Journal(place / "loop").tries


def test_each_candidate_has_its_ending(tries: list[Try]) -> None:
    told = [(each.number, each.ending, each.reason) for each in tries]
    assert [each.ending for each in tries] == ENDINGS, told
    assert [each.number for each in tries] == list(range(1, 9))
    assert "reference.py" in tries[2].reason
    assert "try 4" in tries[4].reason
    assert [each.against for each in tries] == [0] * 6 + [6] * 2
