"""A pytest plugin: studies as tests, one for each solution on each workload.

    pytest --roofmark studies/                      every study.py below is measured and judged
    pytest --roofmark -k "triton and B8" studies/   only these solutions and workloads are measured

A function may ask for judged cells itself:

    @pytest.mark.roofmark("studies/rms", solutions=["triton"])
    def test_rms(roofmark_cell):
        assert roofmark_cell.speedup.low >= 1.3

In: pytest's options. Out: with --roofmark, the hooks of studies.py; without it, marked functions
are skipped and nothing else happens. Every pytest of an environment that has roofmark imports this
module, so it imports nothing of roofmark.
"""

from pathlib import Path

import pytest

_MARK = (
    "roofmark(study, workloads=(), solutions=()): measure a study and give its judged cells to "
    "the function, one test for each; needs --roofmark"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; without --roofmark none of them does anything."""
    group = parser.getgroup("roofmark", "roofmark: studies as tests")
    add = group.addoption
    add("--roofmark", action="store_true", help="measure studies and judge their cells")
    add(
        "--roofmark-strict",
        action="store_true",
        help="an undecided cell fails; without this it is skipped, with the reason",
    )
    add(
        "--roofmark-baseline",
        metavar="PIN",
        type=Path,
        help="gate against this pin; without one a cell must not be slower than the baseline",
    )
    add(
        "--roofmark-bundles",
        metavar="DIR",
        type=Path,
        help="keep the bundles here; without it the last of each study stays in pytest's cache",
    )
    add("--roofmark-device", default="auto", choices=("auto", "cpu", "cuda"), help="as in `run`")
    add("--roofmark-processes", metavar="FEWEST:MOST", help="process sets, as in `run`")
    add("--roofmark-time-limit", metavar="SECONDS", type=float, help="for each study")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark; bring in the rest if it is asked for."""
    config.addinivalue_line("markers", _MARK)
    if config.getoption("--roofmark"):
        from roofmark.pytest_plugin import studies

        config.pluginmanager.register(studies, "roofmark-studies")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what would measure, unless measuring is asked for."""
    if config.getoption("--roofmark"):
        return
    skip = pytest.mark.skip(reason="it measures; run pytest with --roofmark")
    for item in items:
        if item.get_closest_marker("roofmark") is not None:
            item.add_marker(skip)
