"""Who held up whom: waits of threads, CPU time, and what others did, with real processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import replace

import pytest

from roofmark.bench.bystanders import Spent, parse_cores, read_spent, spent_between
from roofmark.bench.waiting import Look, Thread, busy_between, held_between, look_at, waited_here
from roofmark.bystanders import Bystanders
from roofmark.records import Missing

CORE = min(os.sched_getaffinity(0))
BEFORE = Look(
    threads={(7, 7): Thread(1.0, 0.5), (7, 8): Thread(2.0, 0.0)},
    processes={7: 3.0},
    forks=100,
)
AFTER = Look(
    threads={(7, 7): Thread(1.004, 0.503), (7, 8): Thread(2.001, 0.0)},
    processes={7: 3.005},
    forks=100,
)


@contextlib.contextmanager
def _spinner() -> Generator[int]:
    """A process that wants the first core all the time."""
    text = f"import os; os.sched_setaffinity(0, [{CORE}]); print(flush=True)\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-S", "-c", text], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline()
        yield child.pid
    finally:
        child.kill()
        child.communicate()


def test_waits_of_all_threads_add_up() -> None:
    assert held_between(BEFORE, AFTER) == pytest.approx(3e-3)
    assert busy_between(BEFORE, AFTER) == pytest.approx(5e-3)


def test_a_thread_that_was_born_counts_and_one_that_ended_makes_it_unknown() -> None:
    born = replace(AFTER, threads=AFTER.threads | {(7, 9): Thread(0.0, 2e-3)})
    assert held_between(BEFORE, born) == pytest.approx(5e-3)
    ended = replace(AFTER, threads={(7, 7): Thread(1.004, 0.503)})
    assert isinstance(held_between(BEFORE, ended), Missing)
    # Its CPU time is in its process's.
    assert busy_between(BEFORE, ended) == pytest.approx(5e-3)


def test_a_process_that_ended_makes_both_unknown() -> None:
    also = replace(BEFORE, processes={7: 3.0, 8: 1.0})
    assert busy_between(also, AFTER) == 0.0
    assert isinstance(held_between(also, AFTER), Missing)


@pytest.mark.parametrize("forks", [0, 101])
def test_cpu_time_is_unknown_where_a_process_may_have_come_and_gone(forks: int) -> None:
    before = replace(BEFORE, forks=min(forks, BEFORE.forks))
    assert busy_between(before, replace(AFTER, forks=forks)) == 0.0


@pytest.mark.skipif(isinstance(waited_here(), Missing), reason="this kernel does not tell")
def test_two_processes_on_one_core_hold_one_another_up() -> None:
    with _spinner() as one, _spinner() as other:
        before, start = look_at([one, other]), time.monotonic()
        time.sleep(0.2)
        for pid in (one, other):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.02)
        after, passed = look_at([one, other]), time.monotonic() - start
    held = held_between(before, after)
    assert not isinstance(held, Missing)
    # While one of them runs, the other one waits.
    assert 0.5 * 0.2 < held < 2 * passed


def test_a_stranger_makes_the_host_busy_and_what_is_ours_does_not() -> None:
    def read(pid: int) -> list[Spent]:
        me, it = time.process_time(), look_at([pid]).processes[pid]
        found = [read_spent([CORE], own) for own in ({"me": me}, {"me": me, "it": it})]
        return [each for each in found if isinstance(each, Spent)]

    with _spinner() as pid:
        before = read(pid)
        time.sleep(0.4)
        after = read(pid)
    found = [spent_between(*each) for each in zip(before, after, strict=True)]
    stranger, ours = (each.cores for each in found if isinstance(each, Bystanders))
    # Other programs of this machine may be there as well, so only the difference is known.
    took = (after[1].own["it"] - before[1].own["it"]) / (after[1].at - before[1].at)
    assert took > 0 and stranger - ours == pytest.approx(took, abs=0.1)


def test_what_ended_is_somebody_elses() -> None:
    before = Spent(0.0, 10.0, 1.0, {"a": 2.0, "b": 3.0, "c": 1.0})
    after = Spent(2.0, 13.0, 1.5, {"a": 3.0, "c": 0.1})
    assert spent_between(before, after) == Bystanders(cores=1.0, stolen=0.25)
    assert isinstance(spent_between(before, replace(after, at=0.05)), Missing)
    assert spent_between(Missing(reason="no /proc"), after) == Missing(reason="no /proc")


def test_only_the_cores_of_the_workers_count() -> None:
    stat = "cpu  9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 50 4 5 6 0 0\ncpu1 70 0 0 0 0 0 0 0 0 0\n"
    assert parse_cores(stat, [0]) == (15, 6)
    assert parse_cores(stat, [0, 1]) == (85, 6)
    assert isinstance(parse_cores(stat, [2]), Missing)
    assert isinstance(parse_cores("cpu0 1 2 3 4\n", [0]), Missing)
