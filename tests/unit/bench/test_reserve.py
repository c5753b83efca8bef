"""Crews that start ahead: how many at once, who gets them, and that none is left over."""

from types import SimpleNamespace

import pytest

from roofmark.bench import reserve
from roofmark.records import Missing


class Crew:
    """A crew that only remembers what it was asked."""

    made: list["Crew"]

    def __init__(self, order, posts, *, arena):
        self.posts, self.arena, self.state = posts, arena, "starting"
        Crew.made.append(self)

    def fits(self, posts, arena):
        return self.posts == posts and self.arena >= arena

    def await_start(self):
        self.state = "waiting"

    def open(self):
        assert self.state == "waiting"
        self.state = "open"

    def close(self):
        self.state = "closed"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    Crew.made = []
    monkeypatch.setattr(reserve, "ProcessCrew", Crew)
    monkeypatch.setattr(reserve, "read_available_memory", lambda host: 2**40)


def waiting(cores):
    return reserve.Reserve(SimpleNamespace(cores=tuple(range(cores))))


@pytest.mark.parametrize(
    ("cores", "sets", "started"), [(2, 6, 1), (8, 6, 2), (8, 1, 1), (16, 3, 3), (64, 6, 5)]
)
def test_as_many_start_as_there_are_cores_and_sets_for(cores, sets, started):
    crew = waiting(cores).call_up(["a", "b"], 100, sets=sets)
    assert len(Crew.made) == started and crew.state == "open"
    assert {each.state for each in Crew.made[1:]} <= {"waiting"}


def test_who_waits_is_called_up_before_others_start():
    ready = waiting(16)
    crews = [ready.call_up(["a", "b", "c"], 100 - i, sets=6) for i in range(5)]
    assert crews == Crew.made[:5] and len(Crew.made) == 8


@pytest.mark.parametrize("asked", [(["a"], 100), (["a", "b"], 101)])
def test_who_does_not_fit_any_more_goes(asked):
    ready = waiting(16)
    first = ready.call_up(["a", "b"], 100, sets=2)
    ready.call_up(*asked, sets=1)
    assert [each.state for each in Crew.made] == [
        "open",
        "closed",
        "open",
    ] and first.state == "open"


def test_who_was_not_needed_goes_in_the_end():
    ready = waiting(16)
    ready.call_up(["a", "b"], 100, sets=5)
    ready.close()
    assert [each.state for each in Crew.made] == ["open"] + ["closed"] * 4


@pytest.mark.parametrize("memory", [Missing(reason="not told"), 2**30])
def test_without_memory_to_spare_they_start_one_by_one(memory, monkeypatch):
    monkeypatch.setattr(reserve, "read_available_memory", lambda host: memory)
    waiting(16).call_up(["a", "b"], 100, sets=5)
    assert len(Crew.made) == 1


@pytest.mark.parametrize(("cores", "started"), [(2, 0), (4, 0), (5, 1), (16, 4)])
def test_sets_start_beside_the_controls_where_there_is_room(cores, started):
    ready = waiting(cores)
    ready.start_beside(["a", "b"], 100, sets=6, others=2)
    assert [each.state for each in Crew.made] == ["starting"] * started
    first = ready.call_up(["a", "b"], 100, sets=6)
    assert first is Crew.made[0] and "starting" not in {each.state for each in Crew.made}
