"""What a running loop shows: a line for each try, and a table on a terminal."""

import io
from pathlib import Path

import pytest

from roofmark.cli import loop_view
from roofmark.looping.journal import Journal
from roofmark.looping.plan import PLAN
from roofmark.looping.tries import LoopPlan, Note, Try
from roofmark.options import Progress
from roofmark.records import Missing, encode_pretty

ABSENT = Missing(reason="not measured")
PLAN_RECORD = LoopPlan(
    source="s", file="study.py", study="0", solution="x", device="cpu", workloads=(), margin=0.02,
    group_margin=0.02, alpha=0.05,
)  # fmt: skip


def a_try(number: int) -> Try:
    return Try(
        number=number,
        against=0,
        ending="crashed",
        reason="it died",
        note=Note(tokens=7, usd=0.5),
        params={"WARPS": 8},
        diff="",
        fingerprint="",
        binary=ABSENT,
        same_as=ABSENT,
        first=ABSENT,
        confirmation=ABSENT,
        seconds=2.0,
        device_seconds=1.0,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / PLAN).write_bytes(encode_pretty(PLAN_RECORD))
    return tmp_path


def test_without_a_terminal_each_new_try_is_one_line(folder, capsys):
    Journal(folder).append(a_try(1))
    with loop_view.watch_loop(folder) as show:
        show(Progress(done=0, total=0, text="building"))
        Journal(folder).append(a_try(2))
        show(Progress(done=1, total=2, text="process set 1"))
        Journal(folder).append(a_try(3))
    said = capsys.readouterr().err.splitlines()
    tries = [line for line in said if line.startswith("try ")]
    assert tries == [f"try {n}: crashed WARPS=8 (1 s): it died" for n in (2, 3)]


def test_on_a_terminal_there_is_a_table_of_what_is_kept(folder, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Journal(folder).append(a_try(1))
    with loop_view.watch_loop(folder) as show:
        show(Progress(done=1, total=2, text="process set 1"))
    shown = terminal.getvalue()
    assert "WARPS=8" in shown and "7 tokens, 0.50 USD" in shown and "try 2: process set 1" in shown
