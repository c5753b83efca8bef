"""Runs from study to sealed bundle, with real processes; what stops one, and how it goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from roofmark import api
from roofmark.bundle import BundleWriter, open_bundle
from roofmark.errors import BenchError, BundleError, StudyError
from roofmark.evidence import BuildFailed, Environment, Incorrect, Passed, Run
from roofmark.options import Progress
from roofmark.records import Missing, decode
from tiny import (
    CPU,
    HONEST,
    WRONG,
    children_left,
    is_whole,
    open_descriptors,
    outcomes,
    reopened,
    write_study,
)

CPP = "// exports line; never compiled in these tests\n"
PASSES = HONEST  # a "wrong" solution that is right: the gate must not be believed


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No process and no temporary file stays, whatever happens."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield scratch
    assert children_left() == []
    assert list(scratch.iterdir()) == []


def _last_session(output: Path) -> str | Missing:
    return decode((output / "run.json").read_bytes(), Run, where="run.json").sessions[-1].ended


# --- what a run makes of solutions that cannot run here, and of controls -------------------------
def test_absent_tools_and_a_blind_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    study = write_study(
        tmp_path / "study",
        {"fast_cpp": CPP, "exotic": HONEST},
        wrong={"refused": WRONG, "blind": PASSES},
        requires={"exotic": "no_such_package"},
    )
    bundle = api.run(study, tmp_path / "bundle", options=CPU)
    (failed,) = outcomes(bundle, "fast_cpp")
    assert isinstance(failed, BuildFailed) and "install g++ or set CXX" in failed.reason
    skipped = {each.solution: each.reason for each in bundle.run.skipped}
    assert skipped == {"exotic": "not installed: no_such_package"}
    for name in ("honest", "honest~twin"):
        assert [is_whole(t) for t in bundle.traces() if t.solution == name] == [True, True]
    assert [type(each) for each in outcomes(bundle, "refused")] == [Incorrect]
    assert [type(each) for each in outcomes(bundle, "blind")] == [Passed]
    verdict = api.judge(bundle)
    assert verdict.decision == "invalid"
    assert "RM110" in {f.code for f in verdict.findings if f.state == "fires"}
    assert _last_session(bundle.path) == "complete"
    reopened(bundle)


def test_a_baseline_that_is_not_built_ends_the_run(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", {})
    text = (study / "study.py").read_text().replace("honest.py::line", "honest.cpp::line")
    (study / "study.py").write_text(text)
    (study / "honest.cpp").write_text("int line = ;\n")
    with pytest.raises(BenchError, match="RM330"):
        api.run(study, tmp_path / "bundle", options=CPU)


# --- the reference -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("def line(x):\n    raise ArithmeticError('no such line')\n", "no such line"),
        (
            "def line(x):\n    return (2 * x + 1)[:-3]\n",
            r"\[16381\]; the definition says \[16384\]",
        ),
        ("import os\nos._exit(5)\ndef line(x):\n    return x\n", "exit code 5"),
    ],
)
def test_a_reference_that_fails(tmp_path: Path, reference: str, words: str) -> None:
    study = write_study(tmp_path / "study", {}, reference=reference)
    with pytest.raises(StudyError, match=f"(?s)RM112.*{words}"):
        api.run(study, tmp_path / "bundle", options=CPU)
    assert not (tmp_path / "bundle" / "traces").exists()
    assert _last_session(tmp_path / "bundle") == "StudyError"


# --- killed and interrupted ----------------------------------------------------------------------
class _Orchestrator:
    """A run in another process."""

    def __init__(self, what: str, study: Path, output: Path) -> None:
        script = Path(__file__).with_name("orchestrator.py")
        self.output = output
        self.process = subprocess.Popen(
            [sys.executable, str(script), what, str(study), str(output)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ) | {"TMPDIR": tempfile.gettempdir()},
        )

    def wait_for(self, traces: int, *, limit: float = 60) -> None:
        """Wait until that many traces are there; 0 waits for study.json."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and self.process.poll() is None:
            if (self.output / "study.json").exists() and len(_lines(self.output)) >= traces:
                return
            time.sleep(0.02)
        raise AssertionError(f"it ended or is late: {self.process.poll()}")

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        # Workers that are importing torch are killed as well; their keepers need a moment.
        assert children_left(self.process.pid, patience=40) == []
        return code


def _lines(output: Path) -> list[tuple[str, bytes]]:
    """Every finished trace: its file and its bytes."""
    return [
        (path.relative_to(output).as_posix(), line)
        for path in sorted(output.glob("traces/*/*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


@pytest.mark.slow
def test_a_killed_run_loses_nothing(tmp_path: Path, nothing_left: Path) -> None:
    study = write_study(
        tmp_path / "study", {"other": HONEST}, wrong={"bad": WRONG, "worse": WRONG}, sizes=(64, 128)
    )
    output, kept, what = tmp_path / "bundle", [], "run"
    # At the very start, between two controls, and inside the first process set.
    for traces in (0, 1, 5):
        orchestrator = _Orchestrator(what, study, output)
        orchestrator.wait_for(traces)
        assert orchestrator.stop(signal.SIGKILL) == -signal.SIGKILL
        assert set(kept) <= set(_lines(output))
        kept, what = _lines(output), "resume"
        with pytest.raises(BundleError, match="RM403"):
            open_bundle(output)
    with pytest.raises(BundleError, match="RM411"):
        api.run(study, output, options=CPU)
    # A killed run cannot take its scratch folder with it; the next one does, if it is not young.
    killed = list(nothing_left.iterdir())
    assert killed
    for folder in killed:
        os.utime(folder, (0, 0))
    bundle = api.resume(output)
    assert set(kept) <= set(_lines(output))
    ended = [session.ended for session in bundle.run.sessions]
    assert [isinstance(each, Missing) for each in ended] == [True, True, True, False]
    for size in (64, 128):
        for name in ("bad", "worse"):
            tried = [t for t in bundle.traces() if (t.workload, t.solution) == (f"n{size}", name)]
            assert [type(t.outcome) for t in tried] == [Incorrect]
        sets = [
            {t.process for t in bundle.traces() if (t.workload, t.solution) == (f"n{size}", name)}
            for name in ("honest", "honest~twin", "other")
        ]
        assert len(sets[0] & sets[1] & sets[2]) >= 2
    api.judge(reopened(bundle))


@pytest.mark.slow
def test_an_interrupted_run_says_so_and_goes_on(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", {})
    orchestrator = _Orchestrator("run", study, tmp_path / "bundle")
    orchestrator.wait_for(1)
    assert orchestrator.stop(signal.SIGINT) != 0
    output, before = tmp_path / "bundle", _lines(tmp_path / "bundle")
    assert _last_session(output) == "KeyboardInterrupt"
    _check_other_machine_is_refused(output)
    _check_second_run_is_refused(study, output)
    assert _lines(output) == before
    bundle = api.resume(output)
    assert set(before) <= set(_lines(output))
    assert [s.ended for s in bundle.run.sessions] == ["KeyboardInterrupt", "complete"]
    with pytest.raises(BundleError, match="RM407"):
        api.run(study, output, options=CPU)
    with pytest.raises(BundleError, match="RM412"):
        api.resume(tmp_path / "nowhere")


def _check_other_machine_is_refused(output: Path) -> None:
    path = output / "environment.json"
    true = path.read_bytes()
    here = decode(true, Environment, where=path)
    other = msgspec.structs.replace(here, cpu=msgspec.structs.replace(here.cpu, model="abacus"))
    path.write_bytes(msgspec.json.encode(other))
    with pytest.raises(BundleError, match=r"RM410.*cpu\.model"):
        api.resume(output)
    path.write_bytes(true)


def _check_second_run_is_refused(study: Path, output: Path) -> None:
    """Also with force: the folder that another run writes is not deleted below it."""
    with BundleWriter(output):
        for options in (CPU, type(CPU)(device="cpu", force=True)):
            with pytest.raises(BundleError, match="RM406"):
                api.run(study, output, options=options)
        with pytest.raises(BundleError, match="RM406"):
            api.resume(output)


# --- out of room, out of time --------------------------------------------------------------------
@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk") as disk:
        study = write_study(tmp_path / "study", {})
        filler, output = disk / "filler", disk / "bundle"

        def fill(now: Progress) -> None:
            if now.text.startswith("process set 2"):
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(b"x" * 4096)

        with pytest.raises(BundleError, match="RM408"):
            api.run(study, output, options=CPU, progress=fill)
        before = _lines(output)
        assert len(before) == 2 and not list(output.rglob("*.partial"))
        filler.unlink()
        bundle = api.resume(output)
        assert set(before) <= set(_lines(output))
        assert sum(is_whole(trace) for trace in bundle.traces()) == 4


def test_a_run_that_is_out_of_time_seals_what_it_has(tmp_path: Path) -> None:
    study = write_study(
        tmp_path / "study", {}, sizes=tuple(range(8, 4000, 8)), time_limit=6.0, processes=(2, 9)
    )
    began = time.monotonic()
    bundle = api.run(study, tmp_path / "bundle", options=CPU)
    assert time.monotonic() - began < 20
    assert _last_session(bundle.path) == "complete"
    assert 0 < len(list(bundle.traces())) < 900
    assert api.judge(reopened(bundle)).decision == "undecided"


@pytest.mark.slow
def test_many_process_sets_leak_nothing(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", {}, processes=(6, 6))
    seen: list[tuple[int, int]] = []

    def count(now: Progress) -> None:
        if "starting" in now.text:
            seen.append((open_descriptors(), threading.active_count()))

    bundle = api.run(study, tmp_path / "bundle", options=CPU, progress=count)
    assert len(seen) == 6 and len(set(seen)) == 1
    assert len(outcomes(bundle, "honest")) == 6
