"""What the options of one run leave of a study is checked before anything is measured."""

import pytest
from sample import make_study

from roofmark.errors import StudyError
from roofmark.narrowing import narrow_study
from roofmark.options import RunOptions


def narrow(**options):
    return narrow_study(make_study(("fast",)), RunOptions(**options))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"processes": (1, 4)}, "RM103"),
        ({"processes": (9, 5)}, "RM124"),
        ({"time_limit": -1.0}, "RM103"),
        ({"time_limit": float("nan")}, "RM103"),
        ({"tier": "fast"}, "RM103"),
        ({"tier": "ttft"}, "RM138"),
        ({"workloads": ("none*",)}, "RM130"),
        ({"solutions": ("none",)}, "RM130"),
    ],
)
def test_an_option_that_no_study_could_hold(options, code):
    with pytest.raises(StudyError) as caught:
        narrow(**options)
    assert caught.value.code == code


def test_a_short_run_may_be_shorter_than_a_visit_may_last():
    assert narrow(time_limit=5.0).protocol.time_limit == 5.0


def test_held_out_workloads_alone_need_a_confirmation():
    import msgspec

    study = make_study(("fast",))
    first, *rest = study.workloads
    held = msgspec.structs.replace(first, held_out=True, name="held")
    study = msgspec.structs.replace(study, workloads=(held, first, *rest))
    with pytest.raises(StudyError, match="RM106"):
        narrow_study(study, RunOptions(workloads=("held",)))
    asked = narrow_study(study, RunOptions(workloads=("held",), confirm=True))
    assert [w.id for w in asked.workloads] == ["held"]
