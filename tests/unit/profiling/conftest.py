"""A measured bundle, and a machine on which ncu and the child are made up."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "analysis")]

from made_up import MACHINE, make_bundle  # noqa: E402
from sample import make_build  # noqa: E402

from roofmark.bundle import open_bundle  # noqa: E402
from roofmark.options import ProfileOptions  # noqa: E402
from roofmark.profiling import profile  # noqa: E402
from roofmark.records import encode  # noqa: E402


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """A sealed bundle of two workloads; a call takes 20 us on the graph tier."""
    return open_bundle(make_bundle(tmp_path_factory.mktemp("measured") / "b"))


@pytest.fixture
def ncu(tmp_path, monkeypatch):
    """Put the made-up ncu on PATH; call with a scenario of it and one of the child."""
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "ncu"
    tool.write_text(f"#!{sys.executable}\n{(HERE / 'fake_ncu.py').read_text()}")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_BUILD", encode(make_build("fast")).decode())
    monkeypatch.setenv("FAKE_NCU_SEEN", str(tmp_path / "asked"))

    def choose(scenario, child=""):
        monkeypatch.setenv("FAKE_NCU", scenario)
        monkeypatch.setenv("FAKE_CHILD", child)

    choose("good")
    return choose


@pytest.fixture
def run(measured, tmp_path):
    """Profile one pair (or what the options say) and return the new bundle."""

    def call(bundle=None, machine=MACHINE, output=None, **options):
        given = {"workloads": ("n1",), "solutions": ("fast",)} | options
        return profile(
            (bundle or measured).path,
            output or tmp_path / "new",
            options=ProfileOptions(**given),
            machine=machine,
        )

    return call
