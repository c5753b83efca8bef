"""Two runs of one study: same direction, same size, or no replication at all."""

import msgspec
import pytest
from sample import BUILD, make_build, make_environment, make_run, make_study, make_traces

from roofmark.analysis.judge import judge_traces
from roofmark.analysis.replicate import replicate
from roofmark.analysis.verdict import Replication
from roofmark.records import Missing, decode, encode
from roofmark.reports.comparisons import replication_text

ENVIRONMENT = make_environment()


def judge(speedups, *, seed=0, study=None, **traces):
    study = study or make_study()
    return judge_traces(
        study,
        ENVIRONMENT,
        make_run(),
        make_traces(study, speedups, seed=seed, **traces),
        {BUILD: make_build("x")},
        digest=f"{seed:064}",
    )


FIRST = judge({"fast": 2.0})


def fields(result, *, voids):
    return [d.field for d in result.differences if d.voids == voids]


def test_the_same_direction_and_size_is_reproduced():
    result = replicate(FIRST, judge({"fast": 2.0}, seed=1), ENVIRONMENT, ENVIRONMENT)
    assert result.outcome == "reproduced"
    assert result.solutions[0].size == "agrees"
    assert result.differences == ()
    assert decode(encode(result), Replication, where="replication") == result


def test_the_same_direction_with_another_size_says_so():
    result = replicate(FIRST, judge({"fast": 1.5}, seed=1), ENVIRONMENT, ENVIRONMENT)
    assert (result.outcome, result.solutions[0].size) == ("reproduced", "differs")


def test_another_direction_is_not_reproduced():
    result = replicate(FIRST, judge({"fast": 0.9}, seed=1), ENVIRONMENT, ENVIRONMENT)
    assert result.outcome == "not reproduced"


def test_an_undecided_run_leaves_it_open():
    few = judge({"fast": 2.0}, seed=1, processes=3)
    assert replicate(FIRST, few, ENVIRONMENT, ENVIRONMENT).outcome == "undecided"


@pytest.mark.parametrize(
    ("gpu", "field"),
    [
        ({"name": "Other GPU"}, "gpu.name"),
        ({"multiprocessors": 114}, "gpu.multiprocessors"),
        ({"memory": 2**36}, "gpu.memory"),
        ({"mig": True}, "gpu.mig"),
    ],
)
def test_another_device_model_is_not_comparable(gpu, field):
    other = make_environment(**gpu)
    result = replicate(FIRST, judge({"fast": 0.9}, seed=1), ENVIRONMENT, other)
    assert result.outcome == "not comparable"
    assert result.solutions[0].outcome == "not comparable"
    assert fields(result, voids=True) == [field]
    assert all(d.mend for d in result.differences if d.voids)


def test_an_unread_field_or_a_megabyte_is_no_other_model():
    for gpu in ({"mig": Missing(reason="no permission")}, {"memory": 2**37 + 2**22}):
        other = make_environment(**gpu)
        result = replicate(FIRST, judge({"fast": 2.0}, seed=1), ENVIRONMENT, other)
        assert result.outcome == "reproduced"


def test_drivers_and_packages_are_shown_but_do_not_void():
    other = msgspec.structs.replace(
        make_environment(driver="590.2"), packages={"torch": "2.14", "triton": "3.9"}
    )
    result = replicate(FIRST, judge({"fast": 2.0}, seed=1), ENVIRONMENT, other)
    assert result.outcome == "reproduced"
    assert fields(result, voids=False) == ["gpu.driver", "packages.torch", "packages.triton"]
    assert result.differences[2].original == "absent"


@pytest.mark.parametrize(
    ("study", "field"),
    [
        (make_study(tier="kernel"), "tier"),
        (make_study(cache="warm"), "cache"),
        (make_study(margin=0.05), "margin"),
        (make_study(workloads=(1, 2)), "workloads"),
    ],
)
def test_another_question_is_not_comparable(study, field):
    result = replicate(FIRST, judge({"fast": 2.0}, study=study, seed=1), ENVIRONMENT, ENVIRONMENT)
    assert result.outcome == "not comparable"
    assert fields(result, voids=True) == [field]


def test_other_sources_or_definitions_are_found_when_the_studies_are_at_hand():
    study = make_study()
    other = msgspec.structs.replace(
        study,
        definition=msgspec.structs.replace(study.definition, traffic="4*n*d"),
        files={"fast.py": "f" * 64},
    )
    again = judge({"fast": 2.0}, seed=1)
    result = replicate(FIRST, again, ENVIRONMENT, ENVIRONMENT, studies=(study, other))
    assert fields(result, voids=True) == ["definition", "files.fast.py"]


def test_a_solution_that_one_run_lacks_is_not_comparable():
    two = judge({"fast": 2.0, "more": 2.0}, study=make_study(("fast", "more")), seed=1)
    result = replicate(FIRST, two, ENVIRONMENT, ENVIRONMENT)
    assert [s.outcome for s in result.solutions] == ["reproduced", "not comparable"]
    assert result.outcome == "not comparable"


def test_a_workload_that_fell_otherwise_than_the_whole_is_named():
    def of(*, seed, faster):
        """On n2 both are alike, so that over both workloads nothing is decided."""
        traces = make_traces(study, {"fast": faster}, seed=seed)
        plain = make_traces(study, {"fast": 1 / faster}, seed=seed)
        mixed = [t if t.workload == "n1" else p for t, p in zip(traces, plain, strict=True)]
        builds = {BUILD: make_build("x")}
        return judge_traces(study, ENVIRONMENT, make_run(), mixed, builds, digest=f"{seed:064}")

    study = make_study(workloads=(1, 2))
    result = replicate(of(seed=0, faster=2.0), of(seed=1, faster=2.0), ENVIRONMENT, ENVIRONMENT)
    told = [(c.workload, c.outcome, c.original, c.size) for c in result.cells]
    assert told == [
        ("n1", "reproduced", "faster", "agrees"),
        ("n2", "reproduced", "slower", "agrees"),
    ]
    text = replication_text(result)
    assert result.outcome == "undecided" and "  fast: undecided (was undecided, 1.0" in text
    assert "    on n1: reproduced (was faster, 2.0" in text and "    on n2: reproduced" in text
    turned = replicate(of(seed=0, faster=2.0), of(seed=1, faster=0.5), ENVIRONMENT, ENVIRONMENT)
    assert [c.outcome for c in turned.cells] == ["not reproduced"] * 2


def test_a_single_workload_or_one_that_fell_as_the_whole_is_not_told_twice():
    again = judge({"fast": 2.0}, seed=1)
    assert replicate(FIRST, again, ENVIRONMENT, ENVIRONMENT).cells == ()
    two = make_study(workloads=(1, 2))
    runs = [judge({"fast": 2.0}, study=two, seed=seed) for seed in (0, 1)]
    result = replicate(*runs, ENVIRONMENT, ENVIRONMENT)
    assert len(result.cells) == 2 and " on n" not in replication_text(result)
