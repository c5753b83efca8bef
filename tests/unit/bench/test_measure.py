"""One workload in one process set, with a crew that starts no process."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_record

from roofmark.bench import measure
from roofmark.bench.ledger import Ledger
from roofmark.bench.measure import Task, Watch, measure_workload, prove_solutions
from roofmark.bench.messages import (
    Draw,
    Failed,
    OutputError,
    Prepare,
    Prepared,
    Time,
    Timed,
    Verified,
)
from roofmark.bench.process import ChildFailed, ReplyFailed
from roofmark.bench.seam import Failure
from roofmark.evidence import NO_MEMORY, BuildFailed, Crashed, Incorrect, Passed, TimedOut
from roofmark.study import Protocol, Workload, twin_of

BASE, TWIN = "base", twin_of("base")
NAMES = (BASE, "other", TWIN)
PROTOCOL = Protocol(blocks=4, calls=3)
Fault = Failure | str


class FakeCrew:
    """Answers as told and keeps the order of everything it was asked.

    faults: (stage or number of the timed visit, name) -> a failure, or a word for a wrong output.
    """

    def __init__(self, faults: dict[tuple[str | int, str], Fault] | None = None) -> None:
        self.faults = faults or {}
        self.log: list[tuple[str, str]] = []
        self.draws: list[Draw] = []
        self.verified: list[tuple[int, ...]] = []
        self.owner: dict[int, str] = {}
        self.pending = ""
        self.visits = dict.fromkeys(NAMES, 0)
        self.spoils = False
        self.runs: dict[str, float] = {}

    def draw(self, request: Draw) -> None:
        if request.hidden:
            return
        self.log.append(("draw", ""))
        self.draws.append(request)

    def prepare(self, requests: dict[str, Prepare]) -> dict[str, Prepared | Failure]:
        self.log.append(("prepare", ",".join(requests)))
        replies: dict[str, Prepared | Failure] = {}
        for name, request in requests.items():
            self.owner[request.bind.warm] = name
            fault = self.faults.get(("prepare", name))
            good = not isinstance(fault, ChildFailed | ReplyFailed)
            replies[name] = Prepared(absent={}, build=None, memory=NO_MEMORY) if good else fault
        return replies

    def time(self, name: str, request: Time) -> tuple[Timed, float] | Failure:
        assert not self.pending, f"{self.pending} was not verified before {name}"
        self.log.append(("time", name))
        self.visits[name] += 1
        fault = self.faults.get((self.visits[name], name))
        if isinstance(fault, ChildFailed | ReplyFailed):
            return fault
        self.pending = name
        samples = tuple(1e-3 * (k + 1) for k in range(request.calls))
        return Timed(samples=samples, calls=1, clock="fake", discarded=(), memory=NO_MEMORY), 0.5

    def verify(self, name: str, slots: Iterable[int], *, own: int = -1) -> Verified:
        slots = tuple(slots)
        self.verified.append(slots)
        name = self.pending or self.owner[slots[0]]
        when = self.visits[name] if self.pending else "prepare"
        self.log.append(("verify", name))
        self.pending = ""
        fault = self.faults.get((when, name))
        wrong, changed = fault == "wrong", ("x",) if fault == "changed" else ()
        error = OutputError(output="y", rms=0.1 * wrong, peak=0.0, nonfinite=0, passed=not wrong)
        return Verified(errors=(error,), changed=changed)

    def cores_busy(self) -> dict[str, float]:
        return {}

    def ran_unasked(self) -> dict[str, float]:
        return self.runs

    def restore(self) -> bool:
        found, self.spoils = self.spoils, False
        return found

    def revive(self, name: str) -> None:
        self.log.append(("revive", name))
        del self.faults["prepare", name]

    def pid(self, name: str) -> int:
        return 1 + NAMES.index(name)


@pytest.fixture(autouse=True)
def no_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are tried in test_witness.py."""
    monkeypatch.setattr(measure, "take_batches", lambda *_: None)


def _task(**changes: object) -> Task:
    task = Task(
        workload=Workload(axes={"n": 8}), axes={"n": 8}, slots=3, names=NAMES, baseline=BASE,
        protocol=PROTOCOL, device="cpu", seed="s", limit=time.monotonic() + 60,
    )  # fmt: skip
    return replace(task, **changes)  # pyright: ignore[reportArgumentType]


def _watch(before: Callable[[int], None] = lambda _: None) -> Watch:
    return Watch(now=lambda: 0.0, before=before, after=lambda _: None)


def _measured(
    faults: dict[tuple[str | int, str], Fault] | None = None, **changes: object
) -> tuple[FakeCrew, dict[str, Ledger]]:
    crew = FakeCrew(faults)
    return crew, measure_workload(crew, _task(**changes), _watch())


def _visits(ledger: Ledger) -> int:
    outcome = ledger.outcome(PROTOCOL, "b")
    return sum(len(m.visits) for m in outcome.measurements) if isinstance(outcome, Passed) else 0


def test_everybody_is_visited_in_every_block_in_random_order() -> None:
    crew, ledgers = _measured()
    timed = [name for what, name in crew.log if what == "time"]
    blocks = [tuple(timed[k : k + 3]) for k in range(0, 12, 3)]
    assert len(timed) == 12 and all(sorted(block) == sorted(NAMES) for block in blocks)
    orders = {tuple(n for w, n in _measured(seed=str(s))[0].log if w == "time") for s in range(9)}
    assert len(orders) > 5
    for ledger in ledgers.values():
        outcome = ledger.outcome(PROTOCOL, "b")
        assert isinstance(outcome, Passed)
        (measurement,) = outcome.measurements
        assert sorted(visit.block for visit in measurement.visits) == [0, 1, 2, 3]
        assert all(visit.samples == (1e-3, 2e-3, 3e-3) for visit in measurement.visits)
        (check,) = outcome.checks
        assert (check.calls, check.timed) == (13, 12)
    places = [v.position for led in ledgers.values() for v in led.visits["call"] if v.block == 2]
    assert sorted(places) == [0, 1, 2]


def test_every_visit_is_verified_before_the_next() -> None:
    crew, _ = _measured()
    after = crew.log[crew.log.index(("prepare", ",".join(NAMES))) + 4 :]
    visits = [step for step in after if step[0] != "draw"]
    for asked, checked in zip(visits[::2], visits[1::2], strict=True):
        assert (asked[0], checked[0]) == ("time", "verify") and asked[1] == checked[1]
    # The first calls by their own slots, a timed visit by all of its slots.
    assert crew.verified[:3] == [(0,), (1,), (2,)]
    assert set(crew.verified[3:]) == {(3, 4, 5)}


def test_every_block_has_values_of_its_own() -> None:
    crew, _ = _measured()
    assert len({draw.seed for draw in crew.draws}) == len(crew.draws) == 5
    assert (crew.draws[0].first, crew.draws[0].slots, crew.draws[0].expect) == (0, 6, 3)
    assert {(d.first, d.slots, d.expect) for d in crew.draws[1:]} == {(3, 3, 3)}


@pytest.mark.parametrize("fault", ["wrong", "changed"])
def test_a_wrong_timed_call_ends_that_solution_alone(fault: str) -> None:
    crew, ledgers = _measured({(2, "other"): fault})
    outcome = ledgers["other"].outcome(PROTOCOL, "b")
    assert isinstance(outcome, Incorrect) and outcome.reason.endswith("in a timed call")
    assert crew.visits == {BASE: 4, "other": 2, TWIN: 4}
    assert _visits(ledgers[BASE]) == _visits(ledgers[TWIN]) == 4


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ChildFailed("time", "was killed", ""), Crashed),
        (ChildFailed("time", "late", "", late=7.0), TimedOut),
        (ReplyFailed("time", Failed(kind="raised", reason="r", log="")), Crashed),
        (ReplyFailed("time", Failed(kind="output", reason="r", log="")), Incorrect),
        (ReplyFailed("time", Failed(kind="build", reason="r", log="")), BuildFailed),
    ],
)
@pytest.mark.parametrize("when", ["prepare", 1, 3])
def test_a_failure_ends_that_solution_alone(failure: Failure, kind: type, when: str | int) -> None:
    crew, ledgers = _measured({(when, TWIN): failure})
    assert isinstance(ledgers[TWIN].outcome(PROTOCOL, "b"), kind)
    assert crew.visits[TWIN] == (0 if when == "prepare" else when)
    assert _visits(ledgers[BASE]) == _visits(ledgers["other"]) == 4
    assert not any(step == ("verify", TWIN) for step in crew.log) or when != "prepare"


def test_without_the_baseline_nothing_more_is_timed() -> None:
    for fault in ("wrong", ChildFailed("time", "was killed", "")):
        crew, ledgers = _measured({(1, BASE): fault})
        assert crew.visits[BASE] == 1 and all(crew.visits[name] <= 1 for name in NAMES)
        assert not ledgers[BASE].alive
    crew, _ = _measured({("prepare", BASE): "wrong"})
    assert not any(crew.visits.values())


def test_out_of_time_begins_no_further_block() -> None:
    crew, ledgers = _measured(limit=time.monotonic() - 1)
    assert not any(crew.visits.values()) and all(led.alive for led in ledgers.values())


def test_the_limit_of_a_late_answer_is_told() -> None:
    _, ledgers = _measured({(1, "other"): ChildFailed("time", "late", "", late=7.0)})
    assert ledgers["other"].outcome(PROTOCOL, "b") == TimedOut(stage="time", limit=7.0)


def test_proving_times_nothing() -> None:
    crew = FakeCrew({("prepare", "other"): "wrong"})
    ledgers = prove_solutions(crew, _task())
    assert not any(crew.visits.values())
    outcome = ledgers["other"].outcome(PROTOCOL, "b")
    assert isinstance(outcome, Incorrect) and outcome.reason.endswith("in the first call")
    assert [name for name, ledger in ledgers.items() if ledger.alive] == [BASE, TWIN]


def test_the_watch_looks_at_the_process_that_is_visited() -> None:
    crew, looked = FakeCrew(), list[int]()
    measure_workload(crew, _task(), _watch(looked.append))
    assert looked == [crew.pid(name) for what, name in crew.log if what == "time"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_who_ran_while_it_was_to_stand_still_is_noted(device: str) -> None:
    crew = FakeCrew()
    crew.runs = {BASE: 1e-3, "other": 0.02}
    ledgers = measure_workload(crew, _task(device=device), _watch())
    outcomes = {name: ledgers[name].outcome(PROTOCOL, "b") for name in (BASE, "other")}
    assert [sign.kind for sign in outcomes["other"].signs] == ["restless"]
    assert not outcomes[BASE].signs


# --- who waits for whom --------------------------------------------------------------------------
def test_who_comes_later_finds_the_values_as_they_were_drawn() -> None:
    crew = FakeCrew()
    prove_solutions(crew, _task(after={"other": BASE}))
    assert [what for what, _ in crew.log if what != "verify"] == ["draw", "prepare"] * 2
    first, again = crew.draws
    assert first.weights and not again.weights
    assert replace_record(first, weights=False) == again


@pytest.mark.parametrize("spoils", [True, False])
def test_who_died_beside_others_is_tried_again_if_inputs_were_spoiled(spoils: bool) -> None:
    names = ("other", TWIN)
    crew = FakeCrew({("prepare", name): ChildFailed("prepare", "died", "") for name in names})
    crew.spoils = spoils
    ledgers = prove_solutions(crew, _task())
    assert [name for what, name in crew.log if what == "revive"] == list(names if spoils else ())
    assert [ledgers[name].alive for name in names] == [spoils, spoils]


def test_who_waits_for_one_that_is_late_is_late_too() -> None:
    late = ChildFailed("prepare", "late", "", late=7.0)
    crew = FakeCrew({("prepare", "other"): late})
    ledgers = prove_solutions(crew, _task(after={TWIN: BASE, BASE: "other"}))
    for name in (BASE, TWIN):
        assert ledgers[name].outcome(PROTOCOL, "b") == TimedOut(stage="order", limit=7.0)
    assert [names for what, names in crew.log if what == "prepare"] == ["other"]


def test_who_waits_for_nobody_there_is_told() -> None:
    ledgers = prove_solutions(FakeCrew(), _task(after={"other": "gone"}))
    outcome = ledgers["other"].outcome(PROTOCOL, "b")
    assert isinstance(outcome, Crashed) and "comes after gone" in outcome.reason
    assert ledgers[BASE].alive
