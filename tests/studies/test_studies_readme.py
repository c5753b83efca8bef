"""The study that studies/README.md shows loads as it stands there, and its functions are right."""

import re
from pathlib import Path

import pytest
import torch

from roofmark.bench.check import compare_outputs
from roofmark.bench.importing import import_file
from roofmark.loading import load_study
from roofmark.study import Study, Tolerance

README = Path(__file__).parents[2] / "studies" / "README.md"
SIZE = 77


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("product")
    for name, text in re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", README.read_text(), re.S):
        (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return load_study(folder).study


@pytest.fixture(scope="module")
def functions(folder: Path):
    return import_file(folder, "product.py")


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(64, generator=generator), torch.randn(SIZE, 64, generator=generator)


def passes(study: Study, functions, y: torch.Tensor) -> bool:
    x, w = drawn()
    (truth,) = functions.truth(x.double(), w.double())
    assert isinstance(study.definition.tolerance, Tolerance)
    return compare_outputs("y", y[None], truth[None], study.definition.tolerance).passed


def test_the_sweep_the_contrast_and_the_table_name_what_is_there(study: Study):
    assert [each.name for each in study.solutions] == ["plain", "parts-parts1", "parts-parts4"]
    assert [study.solution(each.of).params for each in study.contrasts] == [{"PARTS": 4}]
    assert {each.after for each in study.solutions[1:]} == {"plain"}
    for field in re.findall(r"^\| `(\w+)` \|", README.read_text(), re.M):
        assert f"{field}=" in README.read_text() or field in ("params", "sweep")


@pytest.mark.parametrize("parts", [1, 4])
def test_every_part_equals_its_own_order_bit_for_bit(study: Study, functions, parts: int):
    x, w = drawn()
    y = functions.in_parts(x, **functions.columns(w, PARTS=parts), PARTS=parts)
    assert torch.equal(y, functions.part_by_part(x, w, PARTS=parts)[0])
    assert passes(study, functions, y)


def test_plain_is_right_and_the_control_is_refused(study: Study, functions):
    assert passes(study, functions, functions.plain(*drawn()))
    assert not passes(study, functions, functions.last_column_dropped(*drawn()))


def test_every_study_is_listed():
    folders = {path.parent.name for path in README.parent.glob("*/study.py")}
    assert set(re.findall(r"\]\((\w+)/\w+\.\w+\)", README.read_text())) == folders
