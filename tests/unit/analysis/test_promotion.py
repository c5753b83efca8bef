"""Promotion: who is given up when, which groups lose, and when a run may stop."""

import pytest
from msgspec.structs import replace

from roofmark.analysis.promotion import (
    UNKNOWN,
    Noise,
    find_hopeless,
    judge_promotions,
    open_workloads,
)
from roofmark.evidence import Passed
from roofmark.study import Protocol, Workload
from roofmark.testing import FAILURES, simulated_traces, small_study

WORKLOADS = [Workload(axes={"n": n}, seed=seed) for n in (127, 4096) for seed in (0, 1)]
STUDY = small_study(workloads=WORKLOADS, protocol=Protocol(margin=0.02))


def traces(ratio, processes, *, study=STUDY, factors=None, **options):
    """Simulate a run; factors: workload id -> by how much longer the solution takes there."""
    made = simulated_traces(study, ratios={"fast": ratio}, processes=processes, **options)
    return [_stretched(each, (factors or {}).get(each.workload, 1.0)) for each in made]


def _stretched(trace, factor):
    if trace.solution != "fast" or factor == 1.0 or not isinstance(trace.outcome, Passed):
        return trace
    measured = tuple(
        replace(m, visits=tuple(_longer(visit, factor) for visit in m.visits))
        for m in trace.outcome.measurements
    )
    return replace(trace, outcome=replace(trace.outcome, measurements=measured))


def _longer(visit, factor):
    return replace(visit, samples=tuple(factor * sample for sample in visit.samples))


def hopeless(found, study=STUDY, earlier=UNKNOWN):
    return find_hopeless(study, "cuda", found, group_margin=0.02, earlier=earlier)


def standing(found, margin=0.02):
    return judge_promotions(STUDY, "cuda", found, group_margin=margin)["fast"]


def test_a_slower_one_leaves_after_the_first_set():
    found = traces(0.5, 1)
    assert "0.5" in hopeless(found) and "1 process set;" in hopeless(found)
    assert standing(found).slower and standing(found).ratio == pytest.approx(0.5, rel=0.02)


def test_an_equal_one_leaves_after_a_few_and_is_not_called_slower():
    lengths = []
    for seed in range(20):
        found = next(n for n in range(1, 13) if hopeless(traces(1.0, n, seed=seed)))
        lengths.append(found)
        assert not standing(traces(1.0, found, seed=seed)).slower
    assert sum(lengths) / len(lengths) < 2.5 and max(lengths) <= 4


def test_what_earlier_runs_showed_of_the_noise_tells_sooner_and_never_more_boldly():
    """Quiet runs before: one set is enough. Noisy ones: more are needed than without them."""
    found = [traces(1.0, 1, seed=seed) for seed in range(20)]
    shown = sum((standing(each).noise for each in found), UNKNOWN)
    assert shown.sets == 20 and 0 < shown.spread < 0.01
    assert sum(bool(hopeless(each)) for each in found) < 20
    assert sum(bool(hopeless(each, earlier=shown)) for each in found) >= 18
    noisy = Noise(squares=20 * 0.05**2, sets=20)
    assert not any(hopeless(each, earlier=noisy) for each in found)
    assert not any(hopeless(traces(1.05, 1, seed=seed), earlier=shown) for seed in range(20))


@pytest.mark.parametrize("processes", range(1, 13))
def test_a_faster_one_is_never_given_up(processes):
    assert all(not hopeless(traces(1.05, processes, seed=seed)) for seed in range(5))


@pytest.mark.parametrize("fate", ["incorrect", "build_failed", "crashed"])
def test_what_failed_holds_nothing_up(fate):
    assert hopeless(traces(FAILURES[fate], 1)).startswith(fate.replace("_", " "))


def test_one_time_out_may_be_the_machine():
    assert not hopeless(traces(FAILURES["timed_out"], 1))
    assert "timed out" in hopeless(traces(FAILURES["timed_out"], 2))


def test_half_a_set_says_nothing():
    found = [each for each in traces(0.5, 1) if each.workload != WORKLOADS[-1].id]
    assert not hopeless(found) and not hopeless([])


def test_a_run_goes_on_while_anybody_can_win():
    study = small_study(("fast", "other"), workloads=WORKLOADS)
    both = simulated_traces(study, ratios={"fast": 0.5, "other": 1.5}, processes=2)
    assert not hopeless(both, study)
    both = simulated_traces(study, ratios={"fast": 0.5, "other": 0.6}, processes=2)
    assert "; " in hopeless(both, study)


def test_a_group_that_loses_is_named_and_loses_all():
    """Two seeds of one shape speak together: 1.5x elsewhere does not outweigh a loss of 10 %."""
    found = traces(1.5, 6, factors={"n127": 1.65, "n127-s1": 1.65})
    assert hopeless(found) == "slower on n127 and 1 more"
    groups = standing(found).groups
    assert [g.decision for g in groups] == ["slower", "faster"]
    assert [g.name for g in groups] == ["n127 and 1 more", "n4096 and 1 more"]
    assert not hopeless(found[: len(found) // 6])


def test_a_loss_within_the_margin_of_groups_is_let_pass():
    found = traces(1.5, 6, factors={"n127": 1.65, "n127-s1": 1.65})
    assert not find_hopeless(STUDY, "cuda", found, group_margin=0.2)
    assert standing(found, margin=0.2).settled


def test_a_run_is_open_until_the_whole_and_its_groups_are_known():
    ids = {workload.id for workload in WORKLOADS}

    def still_open(found):
        return open_workloads(STUDY, "cuda", found, group_margin=0.02)

    assert still_open([]) == still_open(traces(1.5, 2)) == ids
    assert still_open(traces(1.5, 6)) == still_open(traces(0.5, 6)) == set()
    # A group at its border: more processes could still show that it loses.
    assert still_open(traces(1.5, 6, factors={"n127": 1.53, "n127-s1": 1.53})) == ids


def test_held_out_workloads_thin_out_no_gain_and_may_not_lose():
    """A gain on the two shapes that were asked; the five held out are as they were, or slower."""
    shown = [Workload(axes={"n": n}) for n in (3, 5, 7, 9, 11)]
    unseen = [replace(each, held_out=True) for each in shown]
    measured = small_study(workloads=[*WORKLOADS, *shown], protocol=STUDY.protocol)
    study = replace(measured, workloads=(*WORKLOADS, *unseen))
    same = {each.id: 1.035 for each in unseen}
    found = traces(1.035, 6, study=measured, factors=same)
    own = judge_promotions(study, "cuda", found, group_margin=0.02)["fast"]
    assert own.ratio == pytest.approx(1.035, rel=0.01) and own.settled and not own.hopeless
    assert len(own.groups) == 7
    lost = traces(1.035, 6, study=measured, factors=same | {unseen[0].id: 1.2})
    assert hopeless(lost, study) == "slower on n3"
    assert hopeless(found, measured)
