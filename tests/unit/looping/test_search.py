"""The search: every point once, outcomes told, kills survived, the same seed the same order."""

import math

import pytest

pytest.importorskip("optuna")

from roofmark.errors import StudyError
from roofmark.looping import Proposal, from_search, parse_space
from roofmark.looping.brief import Brief, Tried
from roofmark.looping.files import put
from roofmark.records import Missing, encode_pretty

START = {"BLOCK": 64, "WARPS": 4}
SPACE = {"BLOCK": (64, 128, 256), "WARPS": (1, 2, 4, 8)}


class Loop:
    """Stands in for a loop: writes briefs, remembers what was proposed and what came of it."""

    def __init__(self, folder, seed=0, space=SPACE, start=START, ahead=1):
        self.folder, self.space, self.seed, self.start = folder, space, seed, start
        self.ahead = ahead
        self.tried = []

    def ask(self, declared=None):
        brief = Brief(
            number=len(self.tried) + 1,
            study="s",
            solution="x",
            device="d",
            margin=0.02,
            best=0,
            files={},
            params=self.start,
            start_params=self.start,
            verdict="",
            places=(),
            tried=tuple(self.tried),
            rules=(),
        )
        put(self.folder / "brief.json", encode_pretty(brief))
        proposal = Proposal(
            number=brief.number,
            folder=self.folder,
            files=(),
            params=self.start if declared is None else declared,
            brief=self.folder / "brief.json",
            note=self.folder / "note.json",
            log=self.folder / "log",
        )
        # A new proposer each time: nothing may be remembered but the storage and the brief.
        storage = self.folder / "search.log"
        return from_search(self.space, storage, seed=self.seed, ahead=self.ahead)(proposal)

    def end(self, note, ratio):
        missing = Missing(reason="it failed")
        self.tried.append(
            Tried(
                number=len(self.tried) + 1,
                against=0,
                params={k: v for k, v in note.params.items() if self.start[k] != v},
                hypothesis=note.hypothesis,
                ending="hopeless" if ratio else "build_failed",
                reason="",
                speedup="",
                over_start=ratio or missing,
            )
        )

    def run(self, most=100, ratio=lambda params: 1.0):
        proposed = []
        while len(proposed) < most and not (note := self.ask()).stop:
            proposed.append(tuple(note.params.values()))
            self.end(note, ratio(note.params))
        return proposed


@pytest.mark.parametrize(
    ("texts", "space"),
    [
        (["BLOCK=64,128", "WARPS=1..4"], {"BLOCK": (64, 128), "WARPS": (1, 2, 3, 4)}),
        (["N=-1..1,5,5"], {"N": (-1, 0, 1, 5)}),
    ],
)
def test_spaces_are_read(texts, space):
    assert parse_space(texts) == space


@pytest.mark.parametrize(
    "texts",
    [["N"], ["N="], ["=1"], ["N=a"], ["N=4..1"], ["N=1..1000000000"], ["N=1", "N=2"],
     ["N=1.5"], ["A=1..1000", "B=1..1000"]],
)  # fmt: skip
def test_what_is_no_space_is_refused(texts):
    with pytest.raises(StudyError, match="RM136"):
        parse_space(texts)


def test_every_point_but_the_start_is_proposed_once_and_then_it_stops(tmp_path):
    proposed = Loop(tmp_path).run()
    assert len(proposed) == len(set(proposed)) == 11
    assert (64, 4) not in proposed


def test_it_goes_where_gains_are(tmp_path):
    """WARPS=8, one in four, doubles, and BLOCK=256, one in three, does not build."""
    space = SPACE | {"EXTRA": tuple(range(12))}
    loop = Loop(tmp_path, space=space, start=START | {"EXTRA": 0})
    proposed = loop.run(
        40, lambda p: None if p["BLOCK"] == 256 else 2.0 if p["WARPS"] == 8 else 1.0
    )
    late = proposed[20:]
    assert sum(warps == 8 for _, warps, _ in late) > len(late) / 3
    assert sum(block == 256 for block, _, _ in late) < len(late) / 3


def test_outcomes_are_told_and_a_failure_is_no_number(tmp_path):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    loop = Loop(tmp_path)
    loop.run(4, lambda p: None if p["WARPS"] == 8 else 1.5)
    loop.ask()
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "search.log")))
    trials = optuna.load_study(study_name="loop", storage=storage).trials
    told = {tuple(t.params.values()): (t.state.name, t.value) for t in trials}
    assert told[64, 4] == ("COMPLETE", 0.0)
    for each in loop.tried:
        point = tuple((START | each.params).values())
        failed = each.ending == "build_failed"
        assert told[point] == ("PRUNED", None) if failed else ("COMPLETE", math.log(1.5))
    assert sum(t.state.name == "RUNNING" for t in trials) == 1


def test_a_kill_before_the_try_ended_asks_for_the_same_again(tmp_path):
    loop = Loop(tmp_path)
    loop.run(3)
    first = loop.ask()
    assert loop.ask() == first
    with (tmp_path / "search.log").open("ab") as file:
        file.write(b'{"op_code": 5, "worker_')
    assert loop.ask() == first


def test_the_same_seed_and_outcomes_give_the_same_order_also_without_the_storage(tmp_path):
    one, two, other = (Loop(tmp_path / name, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert one.run(8) == two.run(8)
    assert other.run(8) != one.run(8)
    (two.folder / "search.log").unlink()
    assert two.ask().params not in [START | each.params for each in two.tried]


def test_a_param_that_the_study_does_not_write_out_is_told(tmp_path):
    with pytest.raises(StudyError, match=r"RM136.*\n?.*WARPS"):
        Loop(tmp_path).ask({"BLOCK": 64})


def test_points_that_are_built_ahead_come_next_and_each_once(tmp_path):
    loop = Loop(tmp_path, ahead=4)
    first = loop.ask()
    coming = [first.params, *first.ahead]
    assert len({tuple(params.values()) for params in coming}) == 4
    loop.end(first, 1.1)
    second = loop.ask()
    assert [second.params, *second.ahead] == coming[1:]
    assert len({tuple(p) for p in loop.run()} | {tuple(first.params.values())}) == 11
    assert loop.ask().stop


def test_a_trial_that_a_kill_cut_in_half_changes_nothing(tmp_path):
    undisturbed, killed = Loop(tmp_path / "a"), Loop(tmp_path / "b")
    undisturbed.run(3)
    killed.run(3)
    storage = tmp_path / "b/search.log"
    before = storage.read_bytes()
    killed.ask()
    lines = storage.read_bytes()[len(before) :].splitlines(keepends=True)
    for cut in range(len(lines)):
        storage.write_bytes(before + b"".join(lines[:cut]))
        assert killed.ask() == undisturbed.ask()
