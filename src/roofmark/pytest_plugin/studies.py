"""The hooks of `pytest --roofmark`: collect studies, measure what was selected, settle each cell.

In: pytest's collection. Out: items, and the fixture `roofmark_cell`. A study is measured once in a
session, when its first cell is asked for, and only as far as -k and the like left something of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roofmark.analysis.verdict import Cell
from roofmark.errors import RoofmarkError
from roofmark.pytest_plugin.measured import Measured, Place

_STUDIES = pytest.StashKey[dict[Path, Measured]]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "StudyFile | None":
    """Collect a study.py."""
    if file_path.name != "study.py":
        return None
    return StudyFile.from_parent(parent, path=file_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Turn a marked function into one test for each cell that its mark names."""
    mark = metafunc.definition.get_closest_marker("roofmark")
    if mark is None:
        return
    where = metafunc.definition.nodeid
    if "roofmark_cell" not in metafunc.fixturenames:
        raise pytest.UsageError(f"a function marked roofmark takes roofmark_cell: {where}")
    unknown = set(mark.kwargs) - {"workloads", "solutions"}
    if unknown or len(mark.args) != 1:
        raise pytest.UsageError(f"the mark is roofmark(STUDY, workloads=(), solutions=()): {where}")
    study = _study_of(mark, metafunc.definition.path)
    filters = {key: _patterns(value) for key, value in mark.kwargs.items()}
    try:
        places = _measured(metafunc.config, study).cells(**filters)
    except RoofmarkError as error:
        raise pytest.UsageError(f"{where}: {error}") from error
    names = [f"{solution}-{workload}" for workload, solution in places]
    metafunc.parametrize("roofmark_cell", places, indirect=True, ids=names)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell every study which of its cells are selected: no others are measured."""
    for item in session.items:
        mark, call = item.get_closest_marker("roofmark"), getattr(item, "callspec", None)
        if isinstance(item, CellItem):
            _measured(session.config, item.path).want(item.place)
        elif mark is not None and call is not None:
            study = _study_of(mark, item.path)
            _measured(session.config, study).want(call.params["roofmark_cell"])


@pytest.fixture
def roofmark_cell(request: pytest.FixtureRequest) -> Cell:
    """Return the judged cell of a marked function: decision, time, speedup with its interval.

    The function runs if the cell passes; an undecided one is skipped, any other fails.
    """
    mark = request.node.get_closest_marker("roofmark")
    if mark is None:
        pytest.fail("roofmark_cell needs @pytest.mark.roofmark(STUDY)", pytrace=False)
    measured = _measured(request.config, _study_of(mark, request.node.path))
    _settle(request.config, measured, request.param)
    return measured.cell(request.param)


class StudyFile(pytest.File):
    """A study.py: an item for each solution on each workload."""

    def collect(self) -> Iterator[pytest.Item]:
        """Read the study and yield its items; a study that cannot be read is an error."""
        for workload, solution in _measured(self.config, self.path).cells():
            name = f"{solution}[{workload}]"
            yield CellItem.from_parent(self, name=name, place=(workload, solution))

    def repr_failure(self, excinfo: Any) -> Any:
        """Show a wrong study as people read it, without a traceback of ours."""
        return _readable(excinfo) or super().repr_failure(excinfo)


class CellItem(pytest.Item):
    """One solution on one workload."""

    def __init__(self, *, place: Place, **options: Any) -> None:
        """Keep (workload, solution)."""
        super().__init__(**options)
        self.place = place

    def runtest(self) -> None:
        """Measure the study if that was not done yet, and settle this cell."""
        _settle(self.config, _measured(self.config, self.path), self.place)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show the reason alone."""
        return _readable(excinfo) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the study and the cell."""
        return self.path, None, f"{self.path.parent.name}: {self.name}"


def _settle(config: pytest.Config, measured: Measured, place: Place) -> None:
    decision, because = measured.settled(place)
    if decision == "undecided" and not config.getoption("--roofmark-strict"):
        pytest.skip(f"undecided: {because}")
    if decision != "pass":
        pytest.fail(f"{decision}: {because}\nbundle: {measured.folder}", pytrace=False)


def _measured(config: pytest.Config, study: Path) -> Measured:
    """Return what this run of pytest knows of a study."""
    study = study.resolve()
    known = config.stash.setdefault(_STUDIES, {})
    if study not in known:
        given: Path | None = config.getoption("--roofmark-bundles")
        cache = config.pluginmanager.hasplugin("cacheprovider")
        kept = config.cache.mkdir("roofmark") if cache and config.cache else Path("out")
        known[study] = Measured(study, given, kept, config.option)
    return known[study]


def _study_of(mark: pytest.Mark, test: Path) -> Path:
    """Return the study.py that a mark names, relative to the file of the test."""
    named = test.parent / mark.args[0]
    return named / "study.py" if named.is_dir() else named


def _patterns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _readable(excinfo: Any) -> str | None:
    return str(excinfo.value) if isinstance(excinfo.value, RoofmarkError) else None
