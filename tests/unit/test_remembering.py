"""A folder of bundles over time: lines, change points, damage, and a cache that can be deleted."""

import os

import msgspec
import pytest
from msgspec import structs
from sample import make_build, make_environment, make_study, make_traces

from roofmark.analysis.history import History, trace_history
from roofmark.analysis.summaries import summarise_bundle
from roofmark.bundle import BundleWriter, open_bundle
from roofmark.errors import BundleError, StudyError
from roofmark.evidence import Git, Run, Session
from roofmark.records import decode, digest, encode
from roofmark.remembering import read_history

DAY = 86400.0


def write(folder, day, speedup, *, study=None, **gpu):
    """Seal a bundle that began on that day."""
    study = study or make_study()
    data = b"def run(): pass\n"
    files = {f"{s.name}.py": digest(data) for s in study.solutions} | {"reference.py": digest(data)}
    session = Session(started=1.7e9 + day * DAY, roofmark="0", ended="complete", seconds=1.0)
    run = Run(device="cuda", entropy="00", confirmation=False, skipped=(), sessions=(session,))
    git = Git(commit=f"{day:040}", dirty=False)
    with BundleWriter(folder) as writer:
        writer.write("study.json", structs.replace(study, files=files))
        writer.write("environment.json", structs.replace(make_environment(**gpu), git=git))
        writer.write("run.json", run)
        writer.write_source(data)
        build = writer.write_build(make_build("fast"))
        for trace in make_traces(study, {"fast": speedup}, build=build, seed=day):
            writer.append(trace)
        writer.seal({})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five days: steady, steady, faster, back again, and one on another GPU between them."""
    folder = tmp_path_factory.mktemp("history")
    for day, speedup in ((3, 2.3), (1, 2.0), (2, 2.0), (5, 2.0)):
        write(folder / "runs" / f"d{day}", day, speedup)
    write(folder / "d4", 4, 2.0, name="Other GPU")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_lines_are_oldest_first_and_say_why_they_begin(folder, cache):
    found = read_history(folder, cache=cache)
    ours, other = found.lines
    assert [s.name for s in ours.steps] == ["runs/d1", "runs/d2", "runs/d3", "runs/d5"]
    assert [s.name for s in other.steps] == ["d4"]
    assert (ours.because, [d.field for d in other.because]) == ((), ["gpu.name"])
    assert ours.steps[0].commit == f"{1:040}"
    assert decode(encode(found), History, where="history") == found


def test_the_best_and_the_change_points_are_marked(folder, cache):
    steps = read_history(folder, cache=cache).lines[0].steps
    assert [s.entries[0].change for s in steps] == ["", "", "faster", "slower"]
    assert [s.entries[0].best for s in steps] == [False, False, True, False]
    assert steps[2].entries[0].since.value == pytest.approx(1.15, rel=0.01)


def test_one_solution_and_one_workload(folder, cache, tmp_path):
    found = read_history(folder, cache=cache, solution="fast", workload="n1")
    assert {e.solution for s in found.lines[0].steps for e in s.entries} == {"fast"}
    for wrong in ({"solution": "none"}, {"workload": "n9"}):
        with pytest.raises(StudyError, match="RM130"):
            read_history(folder, cache=cache, **wrong)
    with pytest.raises(BundleError, match="RM401"):
        read_history(tmp_path, cache=cache)


def test_a_warm_cache_judges_nothing_and_says_the_same(folder, cache, monkeypatch):
    before = read_history(folder, cache=cache)

    def judged(bundle):
        raise AssertionError(f"{bundle} was judged again")

    monkeypatch.setattr("roofmark.remembering.worker.judge_whole", judged)
    assert read_history(folder, cache=cache) == before
    again = read_history(folder, cache=cache / "empty")
    assert len(again.damaged) == 5
    assert all("judged again" in each.reason for each in again.damaged)


def test_a_cache_that_cannot_be_read_is_written_again(folder, tmp_path):
    before = read_history(folder, cache=tmp_path)
    for junk in (b"{}", b"", b"SQLite format 3\0" + b"x" * 5000):
        (tmp_path / "index.sqlite").write_bytes(junk)
        assert read_history(folder, cache=tmp_path) == before
        assert read_history(folder, cache=tmp_path) == before


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(folder, cache, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert read_history(folder, cache=tmp_path / "file") == read_history(folder, cache=cache)


def test_damage_is_found_behind_a_warm_cache_and_listed(tmp_path, monkeypatch):
    write(tmp_path / "b" / "good", 1, 2.0)
    write(tmp_path / "b" / "bad", 2, 2.0)
    (tmp_path / "b" / "open").mkdir()
    for name in ("study.json", "environment.json"):
        (tmp_path / "b" / "open" / name).write_bytes((tmp_path / "b/good" / name).read_bytes())
    # As if both had lain there for long; then one is changed, and its size and date are set back.
    monkeypatch.setattr("roofmark.remembering.found.SETTLED_NS", -(10**12))
    read_history(tmp_path / "b", cache=tmp_path / "c")
    environment = tmp_path / "b" / "bad" / "environment.json"
    before = environment.stat()
    environment.write_bytes(environment.read_bytes().replace(b"Test CPU", b"Best CPU"))
    os.utime(environment, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = read_history(tmp_path / "b", cache=tmp_path / "c")
    assert [s.name for line in found.lines for s in line.steps] == ["good"]
    assert {d.name for d in found.damaged} == {"bad", "open"}
    assert "environment.json was changed" in next(
        d.reason for d in found.damaged if d.name == "bad"
    )


def test_a_slow_drift_is_no_change_point_and_is_told(tmp_path):
    """Each step is set against the step before it; the last one against the first, too."""
    write(tmp_path / "a", 1, 2.0)
    first = summarise_bundle(open_bundle(tmp_path / "a"))

    def at(step):
        held = first.solutions["fast"]
        levels = {
            name: msgspec.structs.replace(
                getattr(held.overall, name), mean=getattr(held.overall, name).mean + sign * step
            )
            for name, sign in (("log_time", 0.004), ("log_gain", -0.004))
        }
        held = structs.replace(held, overall=structs.replace(held.overall, **levels))
        solutions = first.solutions | {"fast": held}
        return structs.replace(first, bundle=f"{step}", started=float(step), solutions=solutions)

    for steps, told in ((10, []), (25, [("fast", "slower")])):
        (line,) = trace_history([(f"s{i}", at(i)) for i in range(steps)]).lines
        assert {s.entries[0].change for s in line.steps} == {""}
        assert [(each.solution, each.decision) for each in line.drift] == told
