"""`roofmark compare` and `roofmark log` as a process would call them."""

import json

import pytest
from small import write_bundle

PIN = '{"model": "m", "methodology": "median of 5", "metrics": {"decode_tps": {"tg128": %s}}}'


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs at a speed-up of 2.0 and two at 2.2."""
    folder = tmp_path_factory.mktemp("bundles")
    speedups = {"a1": 2.0, "a2": 2.0, "b1": 2.2, "b2": 2.2}
    for seed, (name, speedup) in enumerate(speedups.items()):
        write_bundle(folder / name, {"fast": speedup}, seed=seed)
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_compare_says_which_is_faster_and_what_it_rests_on(call, runs):
    code, out, _ = call("compare", runs / "a1", runs / "b1")
    assert code == 0
    assert out.startswith("faster: ")
    assert "taken as 1.5 %" in out
    assert call("compare", runs / "b1", runs / "a1")[0] == 1
    assert call("compare", runs / "a1", runs / "a2")[0] == 3


def test_several_runs_per_side_and_several_sides(call, runs):
    sides = [f"{runs / side}1,{runs / side}2" for side in "ab"]
    code, out, _ = call("compare", *sides)
    assert code == 0
    assert "between runs is measured" in out
    code, out, _ = call("compare", runs / "a1", runs / "b1", runs / "b2", "--json")
    found = json.loads(out)["comparisons"]
    assert [len(each["overall"]) for each in found] == [1, 1]
    assert found[0]["overall"][0]["times"]["value"] == pytest.approx(1.1, rel=0.01)


def test_margin_and_solution(call, runs):
    assert call("compare", runs / "a1", runs / "b1", "--margin", "0.3")[1].startswith("same: ")
    assert call("compare", runs / "a1", runs / "b1", "--solution", "fast")[0] == 0
    code, _, err = call("compare", runs / "a1", runs / "b1", "--solution", "none")
    assert (code, "RM130" in err) == (2, True)


def test_a_run_named_twice_is_no_second_run(call, runs):
    code, _, err = call("compare", runs / "a1", f"{runs / 'b1'},{runs / 'a1'}")
    assert (code, "RM425" in err) == (2, True)


def test_replicate_asks_for_the_verdict_again(call, runs):
    code, out, _ = call("compare", runs / "a1", runs / "b1", "--replicate")
    assert (code, out.splitlines()[0]) == (0, "reproduced")
    found = json.loads(call("compare", runs / "a1", runs / "b1", "--replicate", "--json")[1])
    assert found["comparisons"][0]["solutions"][0]["size"] == "differs"


def test_not_comparable_names_the_field_and_the_way(call, runs, tmp_path):
    other = write_bundle(tmp_path / "other", {"quick": 2.0}, seed=9)
    code, out, _ = call("compare", runs / "a1", other)
    assert (code, out.startswith("not comparable: ")) == (3, True)
    assert "voids solutions: fast -> quick" in out
    assert "Keep a solution's name" in out


def test_a_damaged_bundle_is_an_error(call, runs, tmp_path):
    broken = write_bundle(tmp_path / "broken", {"fast": 2.0}, seed=9)
    (broken / "study.json").write_bytes(b"{}")
    code, out, err = call("compare", runs / "a1", broken)
    assert (code, out, "RM404" in err) == (4, "", True)


def test_single_numbers_of_files_are_reported_and_undecided(call, tmp_path):
    for name, rate in (("a", 100.0), ("b", 50.0)):
        (tmp_path / name).write_text(PIN % rate)
    code, out, _ = call("compare", tmp_path / "a", tmp_path / "b")
    assert code == 3
    assert out.startswith("reported: ")
    assert "-50.0 %" in out
    found = json.loads(call("compare", tmp_path / "a", tmp_path / "b", "--json")[1])
    assert found["comparisons"][0]["outcome"] == "reported"


def test_compare_usage(call, runs, tmp_path):
    (tmp_path / "a").write_text(PIN % 1.0)
    for sides in ([runs / "a1"], [runs / "a1", tmp_path / "a"], [runs / "a1", "nowhere"]):
        code, out, err = call("compare", *sides)
        assert (code, out) == (2, "")
        assert err


def test_log_shows_every_bundle_and_the_same_again(call, runs):
    code, out, _ = call("log", runs)
    assert code == 0
    assert all(name in out for name in ("a1", "a2", "b1", "b2", "FASTER", "BEST"))
    assert call("log", runs)[1] == out
    found = json.loads(call("log", runs, "--json")[1])
    assert [len(line["steps"]) for line in found["lines"]] == [4]
    assert call("log", runs, "--solution", "none")[0] == 2
