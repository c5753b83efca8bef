"""Params in study.py: found as literals, rewritten in place, and nothing else."""

import pytest

from roofmark.loading import load_study
from roofmark.looping.params import find_misfit, find_params, rewrite_params
from tiny import write_study

TEXT = """
import roofmark as rm
OTHER = rm.Solution("other", "a.cu::f", params={"WARPS": 1})
µ = 1; one = rm.Solution(
    "mine",  # the one
    "a.cu::f", params={"WARPS": 4, "NEG": -3, "MADE": 2 * 2, "BIG": 0x10, **{"MORE": 1}},
)
"""


def test_literal_integers_of_this_solution_are_found():
    assert find_params(TEXT, "mine") == {"WARPS": 4, "NEG": -3, "BIG": 16}
    assert find_params(TEXT, "other") == {"WARPS": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def",
        'Solution("mine", params=P)',
        'Solution(NAME, params={"A": 1})',
        'Solution("mine", params={"A": True})',
        'Solution("mine", params={"A": 1.0})',
        'Solution("mine", params={"A": 1}); Solution("mine", params={"A": 2})',
        '[Solution(f"mine{i}", params={"A": 1}) for i in range(2)]',
    ],
)
def test_where_a_value_has_no_one_place_there_is_none(text):
    assert find_params(text, "mine") == {}


def test_only_digits_change_whatever_stands_around_them():
    new = rewrite_params(TEXT, "mine", {"NEG": 12, "WARPS": 16, "BIG": 16})
    assert new == TEXT.replace('"WARPS": 4, "NEG": -3', '"WARPS": 16, "NEG": 12')
    windows = TEXT.replace("\n", "\r\n")
    assert rewrite_params(windows, "mine", {"WARPS": 8}) == windows.replace(
        '"WARPS": 4', '"WARPS": 8'
    )
    with pytest.raises(KeyError):
        rewrite_params(TEXT, "mine", {"MADE": 5})


def test_a_study_that_says_more_than_the_params_is_told(tmp_path):
    folder = write_study(tmp_path, {})
    loaded = load_study(folder).study
    assert find_misfit(folder / "study.py", loaded) == ""
    path = folder / "study.py"
    path.write_text(path.read_text().replace("blocks=2", "blocks=3"))
    assert "is more than these params" in find_misfit(path, loaded)
    path.write_text("import this_is_no_module")
    assert "RM101" in find_misfit(path, loaded)
