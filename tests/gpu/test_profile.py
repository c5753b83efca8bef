"""Counters of kernels that a bundle measured, with the real ncu on a real device."""

from pathlib import Path

import pytest

import roofmark as rm
from roofmark.profiled import NotProfiled, Profiled

BUNDLE = Path(__file__).resolve().parents[2] / "evidence/2026-11-21-planted-slowdown-h200"
# What another machine may lack; everything else has to work.
ELSEWHERE = ("no_ncu", "other_device", "other_build", "not_built", "not_permitted", "counters_held")

pytestmark = pytest.mark.gpu


def test_a_kernel_of_fused_multiply_adds_is_bound_by_arithmetic(tmp_path):
    options = rm.ProfileOptions(workloads=("n1081344",), solutions=("steady",), time_limit=120)
    bundle = rm.profile(BUNDLE, tmp_path / "new", options=options)
    (pair,) = bundle.profiles()
    if isinstance(pair.outcome, NotProfiled) and pair.outcome.kind in ELSEWHERE:
        pytest.skip(pair.outcome.reason)
    assert isinstance(pair.outcome, Profiled), pair.outcome
    assert [each.profile.kernel.count("ContractKernel") for each in pair.outcome.launches] == [1]
    place = ("n1081344", "steady~twin")
    twin = next(c for c in rm.judge(bundle).cells if (c.workload, c.solution) == place)
    assert (twin.bound.kind, twin.bound.evidence) == ("compute", "both")
