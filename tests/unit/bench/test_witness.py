"""The second clock, without processes: what is taken, taken again, and entered."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from roofmark.bench.bystanders import Spent
from roofmark.bench.ledger import Ledger
from roofmark.bench.measure import Task
from roofmark.bench.messages import Draw, Go, OutputError, Poised, Timed, Verified, oddity
from roofmark.bench.process import ChildFailed
from roofmark.bench.seam import Failure
from roofmark.bench.waiting import Taken
from roofmark.bench.witness import note_restless, note_runaways, take_batches
from roofmark.bystanders import Bystanders
from roofmark.evidence import (
    NO_MEMORY,
    Check,
    Crashed,
    Discard,
    Incorrect,
    Passed,
    Sign,
    Visit,
)
from roofmark.records import decode, encode
from roofmark.study import Protocol, Tier, Workload

CALLS = 4
PROTOCOL = Protocol(blocks=2, calls=CALLS)


class Crew:
    """Answers with these seconds for batches, one after the other; an empty one takes a tenth."""

    def __init__(self, seconds: Iterable[float], *, absent: str = "", wrong: bool = False) -> None:
        self.seconds, self.absent, self.wrong = iter(seconds), absent, wrong
        self.empties: Iterator[float] = iter(())
        self.draws: list[Draw] = []
        self.asked: list[Go] = []
        self.owners: list[int] = []
        self.looked = 0

    def draw(self, request: Draw) -> None:
        self.draws.append(request)

    def poise(self, name: str, request: Go) -> Poised:
        return Poised(absent=self.absent)

    def batch(self, name: str, request: Go) -> Taken | Failure:
        self.asked.append(request)
        found = next(self.empties, 1e-4) if request.empty else next(self.seconds)
        return Taken(found, found, 0.0) if found > 0 else ChildFailed("batch", "was killed", "")

    def spent(self) -> Spent:
        self.looked += 1
        return Spent(self.looked, 2.0 * self.looked, 0.5 * self.looked, {"b": 1.5 * self.looked})

    def verify(self, name: str, slots: Iterable[int], *, own: int = -1) -> Verified:
        self.owners.append(own)
        error = OutputError(output="y", rms=1.0, peak=1.0, nonfinite=0, passed=not self.wrong)
        return Verified(errors=(error,), changed=())

    def cores_busy(self) -> dict[str, float]:
        return {"a": 0.01, "b": 0.9}

    def ran_unasked(self) -> dict[str, float]:
        return {"a": 1e-3, "b": 0.3}


def _take(
    crew: Crew, *, sample: float = 1e-3, limit: float = 60.0, tier: Tier = "call", **asked: Any
) -> Ledger:
    ledger = _visited(sample, tier)
    task = _task(limit=limit, **asked)
    take_batches(crew, task, {"b": ledger})  # pyright: ignore[reportArgumentType]
    return ledger


def _visited(sample: float, tier: Tier) -> Ledger:
    ledger = Ledger()
    visit = Visit(
        block=0, position=0, start=0.0, samples=(sample,) * CALLS, calls=1, elapsed=CALLS * sample
    )
    ledger.enter(tier, visit, "fake", None)
    return ledger


def _task(*, limit: float = 60.0, **asked: Any) -> Task:
    return Task(
        workload=Workload(axes={"n": 8}), axes={"n": 8}, names=("other", "b"),
        seed="s", limit=time.monotonic() + limit,
        **({"slots": CALLS, "protocol": PROTOCOL, "device": "cpu", "baseline": "other"} | asked),
    )  # fmt: skip


def _batches(ledger: Ledger) -> list[float]:
    outcome = ledger.outcome(PROTOCOL, "d")
    assert isinstance(outcome, Passed)
    return [batch.seconds for batch in outcome.batches]


def test_a_batch_that_agrees_is_taken_once_over_hidden_values() -> None:
    crew = Crew([4.2e-3])
    assert _batches(_take(crew)) == [4.2e-3]
    assert all(draw.hidden and draw.expect == draw.slots == CALLS for draw in crew.draws)
    assert [go.empty for go in crew.asked] == [False, True] and crew.owners == [1]


def test_what_others_did_meanwhile_is_entered() -> None:
    outcome = _take(Crew([4.2e-3])).outcome(PROTOCOL, "d")
    assert isinstance(outcome, Passed)
    assert outcome.bystanders == Bystanders(cores=0.5, stolen=0.5)
    assert outcome.batches[0].held == 0.0


def test_noise_is_given_time_to_pass() -> None:
    crew = Crew([9e-3, 8e-3, 4.1e-3])
    assert _batches(_take(crew)) == [9e-3, 8e-3, 4.1e-3]
    assert len({draw.seed for draw in crew.draws}) == 3


def test_what_never_agrees_is_not_asked_for_ever() -> None:
    assert len(_batches(_take(Crew([9e-3] * 99)))) == 12


def test_a_baseline_for_whom_nobody_waits_is_asked_a_few_times() -> None:
    assert len(_batches(_take(Crew([9e-3] * 99), baseline="b"))) == 4


def test_a_batch_that_is_wrong_is_wrong() -> None:
    outcome = _take(Crew([4e-3], wrong=True)).outcome(PROTOCOL, "d")
    assert isinstance(outcome, Incorrect)


def test_a_batch_that_kills_the_worker_is_a_crash() -> None:
    assert isinstance(_take(Crew([-1.0])).outcome(PROTOCOL, "d"), Crashed)


def test_without_a_graph_there_is_no_batch_and_no_failure() -> None:
    protocol = Protocol(tier="kernel", time_limit=60.0)
    asked = {"device": "cuda", "protocol": protocol}
    crew = Crew([], absent="it cannot be captured")
    assert _batches(_take(crew, tier="kernel", **asked)) == []


def test_who_has_samples_cannot_decline_to_be_timed_from_outside() -> None:
    outcome = _take(Crew([], absent="I would rather not")).outcome(PROTOCOL, "d")
    assert isinstance(outcome, Crashed) and "would rather not" in outcome.reason


def test_out_of_time_takes_one_so_that_nobody_gains_by_being_late() -> None:
    assert _batches(_take(Crew([9e-3] * 99), limit=-1.0)) == [9e-3]


def test_calls_of_microseconds_are_made_again_on_a_gpu_until_they_fill_the_clock() -> None:
    protocol = Protocol(tier="call", time_limit=60.0)
    asked = {"device": "cuda", "protocol": protocol, "slots": 16}
    for sample, more, rounds in (
        (20e-6, {}, 19), (1e-3, {}, 1), (20e-6, {"mutable": True}, 1),
        (20e-6, {"slots": 8}, 38), (20e-6, {"device": "cpu"}, 1),
    ):  # fmt: skip
        crew = Crew([16 * 19 * 20e-6 + 2e-4] * 99)
        outcome = _take(crew, sample=sample, **(asked | more)).outcome(protocol, "d")
        assert {go.rounds for go in crew.asked} == {rounds}
        assert isinstance(outcome, Passed) and outcome.batches[0].rounds == rounds


def test_a_batch_that_disagrees_on_a_gpu_is_made_longer() -> None:
    protocol = Protocol(tier="call", time_limit=60.0)
    crew = Crew([1.0] * 5 + [16 * 304 * 20e-6] * 99)
    _take(crew, sample=20e-6, device="cuda", protocol=protocol, slots=16)
    taken = [go.rounds for go in crew.asked if not go.empty]
    assert taken == [19, 38, 76, 152, 304, 304]


def _calls(crew: Crew) -> list[int]:
    return [go.calls for go in crew.asked if not go.empty]


def test_a_batch_that_disagrees_on_a_cpu_makes_more_calls_over_fresh_slots() -> None:
    crew = Crew([1.5e-2] * 99)
    _take(crew, sample=1e-4, spare=3 * CALLS - 1)
    assert _calls(crew) == [4, 8] + 10 * [15]
    assert [(d.slots, d.expect) for d in crew.draws[:3]] == [(4, 4), (8, 8), (15, 15)]
    assert [go.calls for go in crew.asked if go.empty] == _calls(crew)
    assert all(go.rounds == 1 for go in crew.asked)


def test_one_slow_empty_batch_is_no_proof() -> None:
    # The other's tells 1 ms, its own 3: 4 ms of calls that say 2, of which stores may take 4.
    crew = Crew([3e-3, 5e-3, 9e-3, 5e-3] + [9e-3] * 99)
    crew.empties = iter([1e-3, 3e-3] + [1e-3] * 99)
    ledgers = {name: _visited(2e-3 / CALLS, "call") for name in ("other", "b")}
    task = _task(stored=2_000_000, spare=CALLS)
    take_batches(crew, task, ledgers)  # pyright: ignore[reportArgumentType]
    assert [b.calls for b in ledgers["other"].batches] == [4, 8]
    assert len(ledgers["b"].batches) == 12


def test_who_agrees_beside_a_long_empty_batch_has_the_baseline_tell_what_surrounds_it() -> None:
    # 2 ms of calls that say 1; the host takes 1 ms around them, and the first times 4 more.
    crew = Crew([5.5e-3, 3e-3] + [9e-3] * 99)
    crew.empties = iter([5e-3, 5e-3, 4.8e-3, 1e-3] + [5e-3] * 99)
    ledgers = {name: _visited(1e-3 / CALLS, "call") for name in ("other", "b")}
    take_batches(crew, _task(limit=-1.0), ledgers)  # pyright: ignore[reportArgumentType]
    # Two that were slow, one look that was slow, one that was quick: it agrees no longer.
    assert [each.empty for each in ledgers["other"].empties] == [4.8e-3, 1e-3]
    assert [len(each.batches) for each in ledgers.values()] == [1, 1]
    outcome = ledgers["other"].outcome(PROTOCOL, "d")
    assert isinstance(outcome, Passed) and [b.rounds for b in outcome.batches] == [1, 0, 0]


def test_empty_batches_that_are_all_alike_clear_who_agrees_with_fifteen() -> None:
    crew = Crew([6e-3] * 99)
    crew.empties = iter([5e-3] * 99)
    ledgers = {name: _visited(1e-3 / CALLS, "call") for name in ("other", "b")}
    take_batches(crew, _task(), ledgers)  # pyright: ignore[reportArgumentType]
    assert [len(each.batches) for each in ledgers.values()] == [1, 1]
    assert len(ledgers["other"].empties) == 13


def test_a_quick_batch_beside_slow_empty_ones_clears_nobody() -> None:
    # As above, and no baseline that could tell: five of its own have to be as slow.
    crew = Crew([3e-3, 5e-3, 9e-3] + [9e-3] * 99)
    crew.empties = iter([5e-3] + [1e-3] * 99)
    ledger = _take(crew, sample=1e-3 / CALLS, spare=3 * CALLS)
    assert len(ledger.batches) == 12


@pytest.mark.parametrize(("sample", "seconds"), [(2e-3, 20e-3), (1e-4, 0.2)])
def test_a_batch_that_is_long_already_is_made_no_longer(sample: float, seconds: float) -> None:
    crew = Crew([seconds] * 99)
    _take(crew, sample=sample, spare=3 * CALLS)
    assert set(_calls(crew)) == {CALLS}


def test_the_baseline_joins_once_where_others_take_more_calls() -> None:
    # It agrees at once, the other never does.
    crew = Crew([1.1e-3] + [9e-3] * 99)
    ledgers = {name: _visited(1e-3 / CALLS, "call") for name in ("other", "b")}
    take_batches(crew, _task(spare=3 * CALLS), ledgers)  # pyright: ignore[reportArgumentType]
    found = {name: [b.calls for b in ledger.batches] for name, ledger in ledgers.items()}
    assert found == {"other": [4, 8, 16], "b": [4, 8] + [16] * 10}


@pytest.mark.parametrize(("name", "signs"), [("a", 0), ("b", 1)])
def test_who_works_unasked_is_noted(name: str, signs: int) -> None:
    ledger = Ledger()
    note_restless(Crew([]), {name: ledger})  # pyright: ignore[reportArgumentType]
    assert [type(each) for each in ledger.signs] == [Sign] * signs


@pytest.mark.parametrize(("name", "signs"), [("a", 0), ("b", 1)])
def test_who_runs_while_it_is_stopped_is_noted(name: str, signs: int) -> None:
    ledger = Ledger()
    note_runaways(Crew([]), {name: ledger})  # pyright: ignore[reportArgumentType]
    assert [each.text[:14] for each in ledger.signs] == ["it ran for 300"] * signs


def test_an_error_beyond_what_a_record_holds_is_written_so_that_it_can_be_read() -> None:
    ledger = Ledger()
    error = OutputError(output="y", rms=1e38, peak=3e38, nonfinite=0, passed=False)
    ledger.take(Verified(errors=(error,), changed=()), 1, timed=False)
    outcome = ledger.outcome(PROTOCOL, "d")
    assert isinstance(outcome, Incorrect)
    assert decode(encode(outcome.checks[0]), Check, where="here") == outcome.checks[0]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, ""),
        ({"samples": (1e-3, float("nan"))}, "no clock"),
        ({"samples": (-1e-3,)}, "no clock"),
        ({"samples": (1e-3,) * (CALLS + 1)}, "more than"),
        ({"clock": "x" * 100_000}, "more than"),
        ({"discarded": (Discard(sample=0, reason="x" * 100_000),)}, "more than"),
        ({"discarded": (Discard(sample=0, reason="x"),) * (CALLS + 1)}, "more than"),
    ],
)
def test_what_no_visit_holds_is_refused(more: dict[str, Any], word: str) -> None:
    plain = {"samples": (1e-3,) * CALLS, "calls": 1, "clock": "c", "discarded": ()}
    found = oddity(Timed(memory=NO_MEMORY, **(plain | more)), CALLS)
    assert word in found and bool(found) == bool(word)
