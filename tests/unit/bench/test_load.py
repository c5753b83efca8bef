"""Entries: real libraries, and Python files with every kind of signature."""

import functools
import sys
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

import roofmark as rm
from roofmark.bench.build import BuildError
from roofmark.bench.load import Entry, WrongOutput, load_entry
from roofmark.evidence import Build
from roofmark.study import Definition, Solution

CONTRACT = Definition(
    name="scale",
    axes={"n": rm.VAR},
    inputs={"x": rm.Tensor("n", "float32")},
    outputs={"y": rm.Tensor("n", "float32")},
    scalars={"factor": 3.0},
    reference="reference.py::scale",
    tolerance=rm.Tolerance(rms=1e-6),
    flops="n",
    traffic="8*n",
)


def _load(tmp_path: Path, text: str, name: str = "entry.py", **files: str) -> Entry:
    folder = tmp_path / "solution"
    folder.mkdir()
    (folder / name).write_text(text)
    for each, content in files.items():
        (folder / f"{each}.py").write_text(content)
    solution = Solution("mine", f"{name}::scale", sources=tuple(f"{each}.py" for each in files))
    return load_entry(solution, CONTRACT, folder, None, None)


def _run(entry: Entry, n: int = 7) -> torch.Tensor:
    x, y = torch.arange(n, dtype=torch.float32), torch.full((n,), torch.nan)
    result = entry.bind({"x": x}, {"y": y}).call()
    entry.store([(result, {"y": y})])
    return y


TRIPLED = torch.arange(7, dtype=torch.float32) * 3


@pytest.mark.parametrize("dtype", ["float32", "float8_e4m3fn"])
def test_what_many_calls_returned_lands_each_in_its_place(tmp_path: Path, dtype: str) -> None:
    entry = _load(tmp_path, "def scale(x, factor): return factor * x")
    values = [TRIPLED + k for k in range(4)] + [(TRIPLED + 4).repeat_interleave(2)[::2]]
    # Strided, as outputs in an arena are, and one value that is not contiguous.
    values = [value.to(getattr(torch, dtype)) for value in values]
    places = list(torch.zeros((5, 16)).to(values[0].dtype)[:, :7])
    entry.store((value, {"y": place}) for value, place in zip(values, places, strict=True))
    assert all(torch.equal(a.float(), b.float()) for a, b in zip(places, values, strict=True))


def test_one_wrong_result_among_many_is_told(tmp_path: Path) -> None:
    entry = _load(tmp_path, "def scale(x, factor): return factor * x")
    places = list(torch.full((3, 7), torch.nan))
    with pytest.raises(WrongOutput, match="float64"):
        entry.store([(TRIPLED.double() if k == 1 else TRIPLED, {"y": places[k]}) for k in range(3)])


# --- libraries -----------------------------------------------------------------------------------
def _library(scale: tuple[Build, Path], name: str = "scale") -> Entry:
    build, library = scale
    solution = Solution("scale", f"scale.cpp::{name}")
    return load_entry(solution, CONTRACT, library.parent, library, str(build.binary))


def test_a_library_writes_its_outputs(scale: tuple[Build, Path]) -> None:
    entry = _library(scale)
    assert entry.build is None and entry.writes
    assert torch.equal(_run(entry), TRIPLED)


def test_what_is_loaded_is_sealed_memory_not_the_file(scale: tuple[Build, Path]) -> None:
    _library(scale)
    maps = Path("/proc/self/maps").read_text()
    assert "memfd:roofmark-library" in maps and str(scale[1]) not in maps


def test_a_changed_library_is_not_loaded(scale: tuple[Build, Path], tmp_path: Path) -> None:
    changed = tmp_path / "scale.so"
    changed.write_bytes(scale[1].read_bytes() + b"\0")
    with pytest.raises(BuildError, match="not the one that was proved"):
        _library((scale[0], changed))
    with pytest.raises(BuildError, match="cannot be read"):
        _library((scale[0], tmp_path / "gone.so"))


def test_a_missing_export_names_what_is_there(scale: tuple[Build, Path]) -> None:
    with pytest.raises(BuildError, match=r"no 'double'; it exports scale\. Add TVM_FFI"):
        _library(scale, "double")


def test_a_library_without_its_proof_is_not_loaded(scale: tuple[Build, Path]) -> None:
    with pytest.raises(BuildError, match="without its proof"):
        load_entry(Solution("s", "s.cpp::f"), CONTRACT, scale[1].parent, scale[1], None)


# --- Python --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "def scale(x, factor): return x * factor",
        "def scale(factor, x): return (x * factor,)",
        "def scale(*, x, factor): return {'y': x * factor}",
        "def scale(x, factor, y): y.copy_(x * factor)",
        "def scale(y, /, x, *, factor): y.copy_(x * factor)",
        "def scale(x, factor, y): return y.copy_(x * factor)",
    ],
)
def test_names_decide_where_an_argument_goes(text: str, tmp_path: Path) -> None:
    entry = _load(tmp_path, text)
    assert torch.equal(_run(entry), TRIPLED)
    assert entry.build is not None and entry.build.language == "python"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def scale(x): ...", "lacks factor"),
        ("def scale(x, factor, block): ...", "has block, which nobody gives"),
        ("def scale(a, factor): ...", "lacks x and has a"),
        ("def scale(*args): ...", r"takes \*args; name its parameters"),
        ("def other(x, factor): ...", "no function 'scale'; it defines other"),
        ("scale = 3", "no function 'scale'"),
        ("import no_such_package", "ModuleNotFoundError"),
        ("def scale(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_an_entry_that_cannot_be_called_is_refused(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=says):
        _load(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def scale(x, factor): return None", "returned NoneType"),
        ("def scale(x, factor): return x, x", "returned 2 values"),
        ("def scale(x, factor): return {'z': x}", "returned a dict of z"),
        ("def scale(x, factor): return [1.0]", "y as float"),
        ("def scale(x, factor): return x.double()", "dtype torch.float64"),
        ("def scale(x, factor): return x[:3]", "shape"),
        ("def scale(x, factor, y): return x", "returned another Tensor"),
    ],
)
def test_what_is_returned_must_be_what_was_declared(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(WrongOutput, match=says):
        _run(_load(tmp_path, text))


def test_a_solution_called_like_a_package_can_import_it(tmp_path: Path) -> None:
    text = "import msgspec\nassert msgspec.Struct\ndef scale(x, factor): return x * factor"
    entry = _load(tmp_path, text, name="msgspec.py")
    assert torch.equal(_run(entry), TRIPLED)
    assert "site-packages" in str(sys.modules["msgspec"].__file__)


def test_siblings_are_found_and_their_source_can_be_read(tmp_path: Path) -> None:
    text = (
        "import inspect\nfrom sibling_of_mine import times\n"
        "def scale(x, factor):\n    assert 'def scale' in inspect.getsource(scale)\n"
        "    return times(x, factor)\n"
    )
    entry = _load(tmp_path, text, sibling_of_mine="def times(a, b): return a * b")
    assert torch.equal(_run(entry), TRIPLED)


def test_a_sibling_hidden_by_a_package_is_refused(tmp_path: Path) -> None:
    text = "import msgspec\ndef scale(x, factor): return x * factor"
    with pytest.raises(BuildError, match="give the file another name"):
        _load(tmp_path, text, msgspec="def times(a, b): return a * b")


def test_a_bound_call_does_nothing_but_call(tmp_path: Path) -> None:
    entry = _load(tmp_path, "def scale(x, factor): return x * factor")
    x = torch.ones(2)
    bound = entry.bind({"x": x}, {})
    assert isinstance(bound.call, functools.partial) and bound.reads == (x,)
    call = bound.call
    assert call.func is entry.function and call.args == (x, 3.0) and not call.keywords


# --- weights and params --------------------------------------------------------------------------
WEIGHTED = replace(
    CONTRACT, inputs=CONTRACT.inputs | {"w": rm.Tensor("n", "float32")}, weights=("w",)
)


def _weighted(folder: Path, text: str, **params: int) -> Entry:
    (folder / "entry.py").write_text(text)
    solution = Solution(
        "mine", "entry.py::scale", prepare="entry.py::pack", params=params or {"TIMES": 2}
    )
    return load_entry(solution, WEIGHTED, folder, None, None)


def test_prepared_weights_stand_in_for_the_weights(tmp_path: Path) -> None:
    entry = _weighted(
        tmp_path,
        "def pack(w, TIMES): return {'packed': w * TIMES}\n"
        "def scale(x, packed, factor, TIMES): return x * packed * factor * TIMES",
        TIMES=5,
    )
    x, w, y = torch.ones(3), torch.full((3,), 2.0), torch.empty(3)
    bound = entry.bind({"x": x, "w": w}, {"y": y})
    entry.store([(bound.call(), {"y": y})])
    assert y.tolist() == [150.0] * 3
    assert bound.reads[0] is x and bound.reads[1] is not w


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def pack(w): return w\ndef scale(x, w, factor, TIMES): ...", "returned Tensor"),
        ("def pack(w): return {'w': 1.0}\ndef scale(x, w, factor, TIMES): ...", "a dict of w"),
        ("def pack(w): return {'x': w}\ndef scale(x, factor, TIMES): ...", "no name may be TIMES"),
        ("def pack(w): return {0: w}\ndef scale(x, w, factor, TIMES): ...", "a dict of 0"),
        ("def pack(w): return {'p': w}\ndef scale(x, w, factor, TIMES): ...", "lacks p and has w"),
        ("def pack(w): return {'p': w}\ndef scale(x, p, factor): ...", "lacks TIMES"),
    ],
)
def test_a_preparation_that_does_not_fit_is_refused(text: str, says: str, tmp_path: Path) -> None:
    entry = _weighted(tmp_path, text)
    with pytest.raises(BuildError, match=says):
        entry.bind({"x": torch.ones(3), "w": torch.ones(3)}, {"y": torch.ones(3)})


def test_the_next_solution_of_a_process_gets_its_own_neighbours(tmp_path: Path) -> None:
    text = "from neighbour import times\ndef scale(x, factor): return times(x, factor)"
    for name, result in (("one", "a * b"), ("two", "a * b * 2")):
        (tmp_path / name).mkdir()
        entry = _load(tmp_path / name, text, neighbour=f"def times(a, b): return {result}")
        assert torch.equal(_run(entry), TRIPLED * (1 if name == "one" else 2))


def test_an_entry_and_its_prepare_share_one_module(tmp_path: Path) -> None:
    text = (
        "made = []\n"
        "def pack(x):\n    made.append(len(made))\n    return {'packed': x.clone()}\n"
        "def scale(packed, factor):\n    assert made == [0]\n    return packed * factor\n"
    )
    (tmp_path / "entry.py").write_text(text)
    weighty = replace(CONTRACT, weights=("x",))
    solution = Solution("mine", "entry.py::scale", prepare="entry.py::pack")
    assert torch.equal(_run(load_entry(solution, weighty, tmp_path, None, None)), TRIPLED)


def test_a_file_that_failed_to_import_fails_again(tmp_path: Path) -> None:
    (tmp_path / "entry.py").write_text("def scale(x, factor): return x * factor\nraise KeyError(1)")
    for _ in range(2):
        with pytest.raises(BuildError, match="KeyError: 1"):
            load_entry(Solution("mine", "entry.py::scale"), CONTRACT, tmp_path, None, None)
