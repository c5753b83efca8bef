"""What a step costs: the count of steps from the data, coverage beside every partial sum."""

import pytest

from roofmark.analysis.kernel_sums import per_step
from roofmark.foreign import KernelRow, KernelTable
from roofmark.records import Missing

NONE = Missing(reason="not told")


def _table(*rows: tuple[str, int, float]) -> KernelTable:
    return KernelTable(
        kind="gpu",
        rows=tuple(
            KernelRow(name=n, calls=c, total=t, mean=t / max(c, 1), median=NONE, p95=NONE)
            for n, c, t in rows
        ),
    )


TABLE = _table(("void Decode<int>()", 1400, 14.0), ("Beta", 200, 4.0), ("gemv", 999, 2.0))


def test_a_step_is_the_sum_of_its_launches_and_says_what_it_leaves_out():
    found = per_step(TABLE, "14*Decode + 2*Beta")
    assert found.seconds == pytest.approx(0.18) and found.agree
    assert found.coverage == pytest.approx(18 / 20)
    assert [term.steps for term in found.terms] == [100, 100]


def test_terms_that_count_other_steps_are_told():
    # Warm-up left out of one count: half as many launches per step as there were.
    assert not per_step(TABLE, "7*Decode + 2*Beta").agree


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("3*nothing", "0 kernels"),
        ("e", "kernels' names"),
        ("0*Beta", "no term"),
        ("", "no term"),
        ("Beta + 2*Beta", "same kernel"),
        ("14*Decode +", "no term"),
    ],
)
def test_a_formula_that_names_no_kernel_or_several_is_refused(formula: str, words: str):
    with pytest.raises(ValueError, match=words):
        per_step(TABLE, formula)


def test_a_kernel_that_never_ran_is_no_divisor():
    with pytest.raises(ValueError, match="kernels' names"):
        per_step(_table(("k", 0, 0.0), ("x", 1, 1.0)), "k")
