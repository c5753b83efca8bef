"""The sanitizer's script says what it could not check, and never calls that clean."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLANTED = ROOT / "evidence/2026-11-21-planted-slowdown-h200"


def sanitize(path: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/sanitize.py", *words],
        env={"PATH": f"{path}:/usr/bin:/bin", "HOME": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    (tmp_path / "compute-sanitizer").write_text("#!/bin/sh\nexit 97\n")
    (tmp_path / "compute-sanitizer").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evidence/2026-11-21-gdn-decode-cpu"], "on the CPU"),
        (["evidence/2026-11-21-nvfp4-wo-h200", "-s", "torch"], "nothing was checked"),
        ([str(PLANTED), "-s", "nobody"], "nobody"),
        (["no-bundle"], "RM401"),
    ],
)
def test_what_cannot_be_asked(tool: Path, words: list[str], says: str):
    code, text = sanitize(tool, str(ROOT / words[0]), *words[1:])
    assert code == 2 and says in text


def test_what_was_not_built_or_was_found_is_not_clean(tool: Path):
    code, text = sanitize(tool, str(PLANTED), "-w", "n33792", "-s", "copy", "--tool", "memcheck")
    assert code == 1 and "copy on n33792" in text and "clean" not in text
