"""Fleets with real stations on this machine: child processes, and a Ray cluster of its own.

Each station holds one core. Stations and runs are killed in the middle of a set; what counts is
that nothing is lost, nothing counted twice, and no process stays.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import roofmark as rm
from roofmark import api
from roofmark.bundle import Bundle, open_bundle
from roofmark.errors import BundleError
from roofmark.looping import from_folder
from roofmark.looping.journal import read_journal
from roofmark.looping.tries import Interrupted, Try
from roofmark.options import Progress, RunOptions
from roofmark.stations import host_of
from tiny import HONEST, children_left, is_whole, write_study

TWO = RunOptions(device="cpu", fleet="local:2")

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="two stations need two cores"
)


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield
    assert children_left(patience=10) == []
    assert _stations() == []


def _processes(mark: str) -> list[int]:
    """Processes whose command line or title holds a mark."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _stations() -> list[int]:
    return _processes("roofmark.fleet.process")


def _on_ray() -> list[int]:
    return _processes("ray::RayHand")


def _crew_of(station: int) -> list[int]:
    """The processes that a station has started; none while it does not measure."""
    found: list[int] = []
    for task in Path(f"/proc/{station}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return [pid for pid in found if pid in set(_processes("roofmark.bench.serve"))]


def _check(bundle: Bundle, *, sets: int, losses: int) -> None:
    """Every workload has all its sets, whole and once, each on one of two stations of one host."""
    traces = list(bundle.traces())
    keys = Counter((t.role, t.workload, t.solution, t.process) for t in traces)
    assert max(keys.values()) == 1
    for name in ("honest", "honest~twin"):
        found = [t for t in traces if t.solution == name]
        assert len(found) == sets and all(is_whole(t) for t in found)
    stations = bundle.stations()
    assert {t.station for t in traces} == {s.id for s in stations}
    assert len({(t.process, t.station) for t in traces}) == sets
    assert len({host_of(s.id) for s in stations}) == 1
    assert len({core for s in stations for core in s.cores}) == len(stations) == 2
    assert all(s.environment.cpu.cores == 1 for s in stations)
    assert sum(len(s.losses) for s in stations) == losses
    verdict = api.judge(bundle)
    assert sum(each.processes for each in verdict.stations) == sets
    told = [f for f in verdict.findings if f.code == "RM347" and f.state == "fires"]
    assert len(told) == (losses > 0)


class _Killer:
    """Kills one station while both measure."""

    def __init__(self, stations: Callable[[], list[int]]) -> None:
        self.stations, self.killed, self.crew = stations, 0, list[int]()

    def __call__(self, now: Progress) -> None:
        if self.killed or "2 measure" not in now.text:
            return
        for station in self.stations():
            if crew := _crew_of(station):
                self.killed, self.crew = station, crew
                os.kill(station, signal.SIGKILL)
                return

    def check(self) -> None:
        """It found somebody, and nobody outlived it."""
        assert self.killed and self.crew
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(map(_lives, (self.killed, *self.crew))):
            time.sleep(0.1)
        assert not any(map(_lives, (self.killed, *self.crew)))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _start(*words: object) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("orchestrator.py")
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ) | {"TMPDIR": tempfile.gettempdir()},
    )


@pytest.mark.slow
def test_a_killed_station_and_a_killed_run(tmp_path: Path) -> None:
    # Two sets at most are done when the run is killed: two are left for the stations to measure.
    study = write_study(tmp_path / "study", {}, processes=(4, 4))
    output = tmp_path / "bundle"
    run = _start("run", study, output, "local:2")
    deadline = time.monotonic() + 100
    while not list(output.glob("traces/*/*.jsonl")) and time.monotonic() < deadline:
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.wait()
    assert children_left(run.pid, patience=20) == []
    with pytest.raises(BundleError, match="RM411"):
        api.run(study, output, options=TWO)
    killer = _Killer(_stations)
    bundle = api.resume(output, progress=killer)
    killer.check()
    _check(bundle, sets=4, losses=1)
    assert bundle.run.fleet == "local:2"


def test_one_machine_and_a_fleet_do_not_mix(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", {})

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.run(study, tmp_path / "b", options=RunOptions(device="cpu"), progress=stop)
    with pytest.raises(BundleError, match=r"RM410.*a fleet cannot go on"):
        api.resume(tmp_path / "b", fleet="local:2")


# --- a loop --------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_loop_on_a_fleet_that_is_killed_and_loses_a_station(tmp_path: Path) -> None:
    rounds = "def line(x):\n    for _ in range({}):\n        y = 2 * x + 1\n    return y\n"
    study = write_study(tmp_path / "study", {"slow": rounds.format(50)})
    tried, output = tmp_path / "candidates", tmp_path / "loop"
    tried.mkdir()
    (tried / "slower.py").write_text(rounds.format(2000))
    run = _start("loop", study, output, "local:2")
    first = output / "tries/0001/first"
    deadline = time.monotonic() + 150
    while not (first / "study.json").exists() and time.monotonic() < deadline:
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.wait()
    assert children_left(run.pid, patience=20) == []
    killer = _Killer(_stations)
    options = rm.LoopOptions(device="cpu", margin=0.1, iterations=1, fleet="local:2")
    (done,) = rm.loop(study, "slow", from_folder(tried), output, options=options, progress=killer)
    killer.check()
    assert done.ending in ("slower", "hopeless") and done.first.ratio < 0.5
    assert [type(each) for each in read_journal(output)] == [Interrupted, Try]
    bundle = open_bundle(first)
    keys = Counter((t.role, t.workload, t.solution, t.process) for t in bundle.traces())
    assert max(keys.values()) == 1 and bundle.run.fleet == "local:2"
    assert sum(len(s.losses) for s in bundle.stations()) == 1
    assert len(bundle.run.sessions) == 2


# --- Ray -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster on loopback with room for two CPU stations."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray = pytest.importorskip("ray")
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=0,
            resources={"roofmark": 2},
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            logging_level="ERROR",
        )
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_station_on_ray_that_is_killed(cluster: None, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", {"other": HONEST}, processes=(3, 3))
    killer = _Killer(_on_ray)
    options = RunOptions(device="cpu", fleet="ray")
    bundle = api.run(study, tmp_path / "bundle", options=options, progress=killer)
    killer.check()
    _check(bundle, sets=3, losses=1)
    assert bundle.run.fleet == "ray:auto"
