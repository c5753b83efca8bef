"""Runs of other tools again: other lengths, throttled ones, several legs, limits of their own."""

import os
from pathlib import Path

import pytest

from roofmark.analysis.foreign_pairs import compare_foreign
from roofmark.analysis.foreign_replicate import replicate_foreign
from roofmark.analysis.kernel_sums import steps_between
from roofmark.comparing import replicate_files
from roofmark.errors import BundleError
from roofmark.importers import read_foreign
from roofmark.records import Missing
from roofmark.reports.comparisons import foreign_compared_text, foreign_replication_text

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)
KERNELS = "config_id,kernel_symbol,n_calls,mean_us,p50_us,p95_us,total_ms\n"
LEG = {"decode": (100, 900.0), "gemm": (800, 30.0), "norm": (1600, 2.0), "copy": (1600, 1.0)}


def table(rows, name="x", *, steps=1.0, slower=1.0):
    """A harness's table of LEG-like rows over so many steps, every kernel slower."""
    lines = [
        f"{name},{kernel},{round(calls * steps)},{us * slower},{us},{us},"
        f"{round(calls * steps) * us * slower / 1e3}\n"
        for kernel, (calls, us) in rows.items()
    ]
    return KERNELS + "".join(lines)


def together(found):
    return found.parts[0].together


# --- other step counts ---------------------------------------------------------------------------
def test_a_shorter_profile_of_the_same_work_is_the_same(read):
    found = compare_foreign(read(table(LEG)), read(table(LEG, steps=0.4), "b"))
    assert together(found).steps == pytest.approx(0.4)
    assert together(found).ratio == pytest.approx(1.0)
    assert (together(found).other_calls, together(found).other_share) == (0, 0.0)
    assert all(row.why == "" for row in found.parts[0].rows)
    assert "B has 0.4 steps for one of A" in foreign_compared_text(found)


def test_a_kernel_that_runs_otherwise_per_step_is_other_work(read):
    changed = LEG | {"gemm": (1200, 30.0)}
    found = compare_foreign(read(table(LEG)), read(table(changed, steps=2), "b"))
    assert together(found).steps == pytest.approx(2.0)
    assert together(found).other_calls == 1
    assert [row.label for row in found.parts[0].rows if row.why] == ["gemm"]
    # What a whole step costs holds all the same: 36 of 119.6 ms take half as long again.
    before = sum(calls * us for calls, us in LEG.values())
    assert together(found).whole == pytest.approx((before + 400 * 30.0) / before)


def test_without_a_majority_there_is_one_step(read):
    a = read(table({"a": (10, 1.0), "b": (10, 1.0), "c": (10, 1.0), "d": (10, 1.0)}))
    b = read(table({"a": (20, 1.0), "b": (30, 1.0), "c": (40, 1.0), "d": (50, 1.0)}), "b")
    assert steps_between(a.contents[0], b.contents[0]) == 1.0
    assert steps_between(a.contents[0], a.contents[0]) == 1.0


# --- a throttled run -----------------------------------------------------------------------------
def test_all_kernels_slower_alike_is_no_change_of_code(read):
    a = read(table(LEG))
    found = compare_foreign(a, read(table(LEG, slower=1.17), "b"))
    assert together(found).uniform == pytest.approx(1.17, rel=1e-3)
    assert "a clock, a limit of power or another device" in foreign_compared_text(found)
    one = LEG | {"decode": (100, 1100.0)}
    assert isinstance(together(compare_foreign(a, read(table(one), "c"))).uniform, Missing)
    same = read(table(LEG), "d")
    assert isinstance(together(compare_foreign(a, same)).uniform, Missing)


def test_a_throttle_inside_a_series_is_told_with_its_place(read):
    quiet = [1000.0 + i % 7 for i in range(50)]
    late = [us * (1.5 if i >= 35 else 1.0) for i, us in enumerate(quiet)]
    files = [
        read("launch,elapsed_us\n" + "".join(f"{i},{us}\n" for i, us in enumerate(side)), name)
        for name, side in (("a", quiet), ("b", late))
    ]
    found = compare_foreign(*files)
    (row,) = found.parts[0].rows
    assert row.ratio == pytest.approx(1.0, abs=0.005)
    assert "times step by +50" in row.doubt
    assert "from sample 36 on" in foreign_compared_text(found)


# --- limits that a file states itself ------------------------------------------------------------
PIN = """{"model": "m", "methodology": "median of 5", "metrics": {"decode_tps": {"tg128": %s},
 "prefill_tps": {"pp512": 1000.0}, "memory_mb": {"weights": %s}},
 "thresholds": {"decode_regression_pct": 3, "prefill_regression_pct": 5,
 "vram_increase_pct": 10}}"""


@pytest.mark.parametrize(
    ("rate", "size", "beyond"),
    [
        (100.0, 100, []),
        (97.5, 109, []),
        (96.5, 100, ["decode tg128"]),
        (150.0, 111, ["memory weights"]),
    ],
)
def test_limits_of_the_file_are_asked(read, rate, size, beyond):
    found = compare_foreign(read(PIN % (100.0, 100)), read(PIN % (rate, size), "b"))
    assert [row.label for row in found.parts[0].rows if row.limit] == beyond
    assert ("fails: " in foreign_compared_text(found)) == bool(beyond)


# --- several legs again --------------------------------------------------------------------------
LEGS = {"fast": LEG, "slow": LEG | {"decode": (100, 1500.0)}}


def runs(read, **scales):
    """Legs by name, each slower by its scale; half as many steps where a scale is given."""
    steps = 0.5 if scales else 1.0
    texts = {n: table(r, n, steps=steps, slower=scales.get(n, 1.0)) for n, r in LEGS.items()}
    return [(name, read(text, name)) for name, text in texts.items()]


def test_the_verdict_reproduces_and_the_mean_does_not(read):
    found = replicate_foreign(runs(read), runs(read, fast=1.08, slow=1.08))
    (figure,) = found.figures
    assert found.outcome == "reproduced"
    assert figure.moved == pytest.approx({"fast": 1.08, "slow": 1.08})
    assert [(p.was, p.now, p.size) for p in figure.pairs] == [("slower", "slower", "agrees")]
    assert "the values moved by up to 8.0 %" in foreign_replication_text(found)


@pytest.mark.parametrize(
    ("fast", "slow", "outcome", "now", "size"),
    [
        (2.0, 1.0, "not reproduced", "faster", "differs"),
        (1.0, 1.4, "reproduced", "slower", "differs"),
    ],
)
def test_direction_and_size_are_two_questions(read, fast, slow, outcome, now, size):
    found = replicate_foreign(runs(read), runs(read, fast=fast, slow=slow))
    (pair,) = found.figures[0].pairs
    assert (found.outcome, pair.now, pair.size) == (outcome, now, size)


def test_directions_that_differ_by_less_than_the_margin_are_undecided(read):
    ratio = sum(c * us for c, us in LEGS["slow"].values()) / sum(c * us for c, us in LEG.values())
    # At first a little beyond the margin, then a little within it.
    first = runs(read, slow=1.025 / ratio)
    again = runs(read, slow=1.015 / ratio)
    found = replicate_foreign(first, again)
    (pair,) = found.figures[0].pairs
    assert (pair.was, pair.now, pair.size) == ("slower", "same", "agrees")
    assert found.outcome == "undecided"


def test_legs_are_told_by_their_names_and_steps_by_formulas(tmp_path):
    sides = []
    for run, slower in (("one", 1.0), ("two", 1.05)):
        side = []
        for name, rows in LEGS.items():
            path = tmp_path / run / f"{name}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(table(rows, name, slower=slower))
            side.append(path)
        sides.append(side)
    (found,) = replicate_files([sides[0], sides[1][::-1]], steps=["fast=2*decode", "slow=2*decode"])
    (figure,) = found.figures
    assert figure.original == pytest.approx({"fast": 1.8e-3, "slow": 3e-3})
    assert (figure.label, figure.order, found.outcome) == (
        "one step",
        ("fast", "slow"),
        "reproduced",
    )
    with pytest.raises(ValueError, match="there is no leg 'none'"):
        replicate_files(sides, steps=["none=2*decode"])


def test_a_leg_that_stepped_on_the_way_is_told(tmp_path):
    sides = []
    for run, jump in (("one", 1.0), ("two", 1.5)):
        side = []
        for name, us in (("fast", 100.0), ("slow", 300.0)):
            path = tmp_path / run / f"{name}.csv"
            path.parent.mkdir(exist_ok=True)
            late = [us * (1 + 0.001 * (n % 3)) * (jump if n >= 35 else 1.0) for n in range(50)]
            rows = "".join(f"{n},{each}\n" for n, each in enumerate(late))
            path.write_text("launch_idx,elapsed_us\n" + rows)
            side.append(path)
        sides.append(side)
    (found,) = replicate_files(sides)
    assert found.outcome == "reproduced"
    assert [note.partition(":")[0] for note in found.notes] == ["fast, again", "slow, again"]
    assert "from sample 36 on" in foreign_replication_text(found)
    assert replicate_files([sides[0], sides[0]])[0].notes == ()


def test_runs_without_a_reference_say_what_is_missing(read):
    rows = "".join(f"{n},0,x,1,PASSED,{us}\n" for n, us in ((1, 11.7), (2, 15.9)))
    found = read("run,workload_index,workload,batch_size,status,latency_us\n" + rows)
    with pytest.raises(BundleError, match="Let every run measure a reference"):
        compare_foreign(found, found)


def test_runs_of_other_settings_are_not_comparable(read):
    pins = [(n, read(PIN % (rate, 100), n)) for n, rate in (("a", 100.0), ("b", 90.0))]
    renamed = PIN.replace('"m"', '"n"')
    other = [(n, read(renamed % (rate, 100), n)) for n, rate in (("a", 1.0), ("b", 0.9))]
    assert replicate_foreign(pins, pins).outcome == "reproduced"
    assert replicate_foreign(pins, other).outcome == "not comparable"
    with pytest.raises(BundleError, match="RM425"):
        replicate_foreign(pins, [("c", pins[0][1]), ("d", pins[1][1])])


# --- evidence of other teams, where it is at hand ------------------------------------------------
field = pytest.mark.skipif(not CASES.is_dir(), reason="the field's files are not here")


@field
def test_legs_of_other_length_are_set_side_by_side():
    legs = {n: read_foreign(CASES / f"three-leg/{n}/profile_kernels.csv")
            for n in ("lower8", "all-beta", "phaseE-off")}  # fmt: skip
    found = together(compare_foreign(legs["lower8"], legs["all-beta"]))
    assert found.steps == pytest.approx(1020 / 2550)
    assert found.whole == pytest.approx(1.111, abs=0.001)
    found = replicate_foreign(list(legs.items()), list(legs.items()))
    assert found.figures[0].order == ("lower8", "all-beta", "phaseE-off")


@field
def test_a_baseline_in_the_file_itself_fails_its_own_limits():
    file = read_foreign(CASES / "imp/70_bench.json")
    (part,) = compare_foreign(file, file).parts
    assert {r.label: round(100 * (r.ratio - 1), 1) for r in part.rows} == {
        "pp512": -15.1,
        "tg128": -43.2,
    }
    assert all(row.limit for row in part.rows)
