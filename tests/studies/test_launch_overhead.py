"""The study of launches without a GPU: four ways to the same gates, and how often each launches."""

from functools import cache
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from roofmark.bench.check import compare_outputs
from roofmark.bench.importing import import_file
from roofmark.expressions import evaluate
from roofmark.loading import load_study
from roofmark.study import Study, Tolerance

FOLDER = Path(__file__).parents[2] / "studies" / "launch_overhead"
STUDY: Study = load_study(FOLDER).study
GATES = import_file(FOLDER, "gates.py")
LAYERS, HEADS, WIDTH = 3, 5, 77  # no size of one stands for another

Tensors = dict[str, torch.Tensor]


@cache
def case() -> Tensors:
    generator = torch.Generator().manual_seed(0)
    shapes = {"x": (WIDTH,), "alpha": (LAYERS, HEADS, WIDTH), "beta": (LAYERS, HEADS, WIDTH)}
    drawn = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {name: each.bfloat16() for name, each in drawn.items()}


def prepared(name: str) -> Tensors:
    """Return what the entry takes, with blank outputs."""
    inputs = dict(case())
    prepare = STUDY.solution(name).prepare
    if isinstance(prepare, str):
        made = getattr(GATES, prepare.partition("::")[2])
        inputs |= made(inputs.pop("alpha"), inputs.pop("beta"))
    return inputs | {"gates": torch.full((LAYERS, 2, HEADS), float("nan")).bfloat16()}


def expected() -> torch.Tensor:
    """One product at a time, in float64."""
    x, *matrices = (case()[name].double() for name in ("x", "alpha", "beta"))
    truth = torch.empty(LAYERS, 2, HEADS, dtype=torch.float64)
    for layer in range(LAYERS):
        for which, matrix in enumerate(matrices):
            for head in range(HEADS):
                truth[layer, which, head] = sum(
                    (matrix[layer, head, d] * x[d]).item() for d in range(WIDTH)
                )
    return truth


def passes(gates: torch.Tensor) -> bool:
    tolerance = STUDY.definition.tolerance
    assert isinstance(tolerance, Tolerance)
    return compare_outputs("gates", gates[None], expected()[None], tolerance).passed


class Counter(TorchDispatchMode):
    """Counts products, copies and allocations by the operators that torch dispatches."""

    def __init__(self):
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_reference_is_the_plain_loop():
    reference = import_file(FOLDER, "reference.py").gates
    doubles = {name: each.double() for name, each in case().items()}
    assert torch.allclose(reference(**doubles), expected(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "products", "copies", "allocations"),
    [
        ("separate", 2, 0, 0),
        ("packed", 1, 0, 0),
        ("workspace_kept", 1, 1, 0),
        ("workspace_fresh", 1, 1, 1),
    ],
)
def test_solutions_are_right_and_launch_what_the_readme_says(
    name: str, products: int, copies: int, allocations: int
):
    inputs = prepared(name)
    with Counter() as counted:
        getattr(GATES, name)(**inputs)
    assert passes(inputs["gates"])
    found = [counted.seen.count(operator) for operator in ("mv", "copy_", "empty")]
    assert found == [LAYERS * each for each in (products, copies, allocations)]


@pytest.mark.parametrize("name", [each.name for each in STUDY.wrong])
def test_controls_are_refused(name: str):
    wrong = STUDY.solution(name)
    assert not passes(getattr(import_file(FOLDER, wrong.path), wrong.function)(**case()).bfloat16())


def test_every_control_is_in_the_study_and_in_the_folder():
    assert {s.name for s in STUDY.wrong} == {each.stem for each in FOLDER.glob("wrong/*.py")}


def test_traffic_is_what_the_tensors_hold():
    definition = STUDY.definition
    for workload in STUDY.workloads:
        axes = STUDY.axes(workload)
        held = [*definition.inputs.values(), *definition.outputs.values()]
        assert evaluate(definition.traffic, axes) == sum(each.size(axes) for each in held)
