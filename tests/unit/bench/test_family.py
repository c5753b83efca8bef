"""Families of processes: nobody runs on, whoever was born meanwhile, and few looks are needed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator

import pytest

from roofmark.bench import births as births_module
from roofmark.bench import family as family_module
from roofmark.bench import process as process_module
from roofmark.bench.births import births
from roofmark.bench.descendants import end_tree
from roofmark.bench.family import Family
from roofmark.bench.pausing import below, cpu_time, state_of

# A keeper, its child, and a grandchild for each line that the child reads.
_PARENT = """
import subprocess, sys
code = '''
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    if os.fork() == 0:
        while True: pass
    print("born", flush=True)
'''
subprocess.Popen([sys.executable, "-S", "-c", code]).wait()
"""


@pytest.fixture
def keeper() -> Generator["subprocess.Popen[bytes]"]:
    pipe = subprocess.PIPE
    made = subprocess.Popen(
        [sys.executable, "-S", "-c", _PARENT], stdin=pipe, stdout=pipe, start_new_session=True
    )
    assert made.stdout is not None and made.stdout.readline() == b"ready\n"
    yield made
    end_tree(made.pid, "no mark")
    made.communicate()


def _bear(keeper: "subprocess.Popen[bytes]") -> None:
    assert keeper.stdin is not None and keeper.stdout is not None
    keeper.stdin.write(b"\n")
    keeper.stdin.flush()
    assert keeper.stdout.readline() == b"born\n"


def _states(keeper: "subprocess.Popen[bytes]") -> list[str]:
    return [state_of(pid) for pid in below(keeper.pid)]


def test_whoever_was_born_meanwhile_is_stopped_as_well(keeper: "subprocess.Popen[bytes]") -> None:
    family = Family(keeper.pid)
    for born in range(3):
        assert family.pause() and _states(keeper) == ["T"] * (1 + born)
        family.resume()
        assert "T" not in _states(keeper)
        _bear(keeper)
    assert family.pause() and _states(keeper) == ["T"] * 4


def test_while_nobody_is_born_nobody_is_looked_for(
    keeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    _bear(keeper)
    monkeypatch.setattr(family_module, "births", lambda: 7)
    family = Family(keeper.pid)
    assert family.pause()
    monkeypatch.setattr(family_module, "below", lambda _: pytest.fail("looked again"))
    assert len(family.members()) == 2
    family.resume()
    assert "T" not in _states(keeper)
    assert family.pause() and _states(keeper) == ["T", "T"]


@pytest.mark.parametrize("count", [lambda: 0, iter(range(1, 10_000)).__next__])
def test_a_count_that_tells_nothing_or_grows_all_the_time_is_not_relied_on(
    keeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch, count: object
) -> None:
    monkeypatch.setattr(family_module, "births", count)
    family = Family(keeper.pid)
    for born in range(2):
        assert family.pause() and _states(keeper) == ["T"] * (1 + born)
        family.resume()
        _bear(keeper)
    assert family.pause() and _states(keeper) == ["T"] * 3


def test_one_that_ended_and_was_not_buried_keeps_nobody_from_standing_still(
    keeper: "subprocess.Popen[bytes]",
) -> None:
    _bear(keeper)
    child = next(below(keeper.pid))
    os.kill(next(pid for pid in below(keeper.pid) if pid != child), 9)
    family = Family(keeper.pid)
    for _ in range(2):
        assert family.pause() and set(_states(keeper)) == {"T", "Z"}
        family.resume()
        assert state_of(child) != "T"


def test_who_runs_while_it_is_stopped_is_found_out(keeper: "subprocess.Popen[bytes]") -> None:
    _bear(keeper)
    family = Family(keeper.pid)
    assert family.pause() and family.take_ran() < 5e-3
    spinner = max(below(keeper.pid))
    before = cpu_time(spinner) or 0.0
    os.kill(spinner, signal.SIGCONT)
    until = time.monotonic() + 10.0
    while (cpu_time(spinner) or 0.0) < before + 0.02 and time.monotonic() < until:
        time.sleep(1e-3)
    assert family.take_ran() >= 0.02
    os.kill(spinner, signal.SIGSTOP)
    family.resume()
    # Who goes on by right is not counted.
    assert family.take_ran() == 0.0


# One thread waits, another one is in a system call that goes on whatever is sent.
_IN_A_CALL = """
import os, threading
file = os.memfd_create("zeros")
memory = bytearray(1 << 20)
os.truncate(file, len(memory))
def work():
    print("ready", flush=True)
    os.preadv(file, [memory] * 1000, 0)
if os.fork(): os.wait()
threading.Thread(target=work).start()
threading.Event().wait()
"""


def test_a_thread_in_a_long_system_call_is_waited_for() -> None:
    top = subprocess.Popen(
        [sys.executable, "-S", "-c", _IN_A_CALL], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert top.stdout is not None and top.stdout.readline() == b"ready\n"
        family = Family(top.pid)
        assert family.pause(threads=True)
        child = next(below(top.pid))
        before = cpu_time(child)
        time.sleep(0.05)
        assert cpu_time(child) == before
    finally:
        end_tree(top.pid, "no mark")
        top.communicate()


_DEEP = """
import os, time
for _ in range(4):
    if os.fork():
        time.sleep(60)
taken = b"x" * (64 << 20)
print("ready", flush=True)
time.sleep(60)
"""


def test_what_is_taken_is_counted_however_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    top = subprocess.Popen(
        [sys.executable, "-S", "-c", _DEEP], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert top.stdout is not None and top.stdout.readline() == b"ready\n"
        assert "GiB of memory" in process_module.excess(top.pid, 64 << 20)
        assert process_module.excess(top.pid, 1 << 40) == ""
        monkeypatch.setattr(process_module, "_MOST_THREADS", 3)
        assert "3 threads" in process_module.excess(top.pid, 1 << 40)
        monkeypatch.setattr(process_module, "_MOST_PROCESSES", 3)
        assert "3 processes" in process_module.excess(top.pid, 1 << 40)
    finally:
        end_tree(top.pid, "no mark")
        top.communicate()


def test_births_of_threads_count() -> None:
    before = births()
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert births() > before > 0


def test_a_count_that_stands_still_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    births_module._counts.cache_clear()
    monkeypatch.setattr(births_module, "_read", lambda: 4711)
    assert births() == 0
    births_module._counts.cache_clear()
