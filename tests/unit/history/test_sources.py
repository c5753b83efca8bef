"""What lies in a folder or at an address: all of it is counted, or named with its reason."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from places import begin_bundle, die_on_b1, reseal, write_folder

from roofmark.errors import BundleError, StudyError
from roofmark.gating import pin, read_pin
from roofmark.remembering import open_source, read_history
from roofmark.remembering.index import Index
from roofmark.remembering.reading import read_all, survey
from roofmark.remembering.worker import Read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("bundles"))


SESSION = b'"sessions": [{"started": 1e300, "roofmark": "0", "ended": "?", "seconds": 1.0}]'


def names(history):
    return [step.name for line in history.lines for step in line.steps]


def reasons(history):
    return {each.name: each.reason for each in history.damaged}


def test_whatever_is_not_counted_is_named(folder, tmp_path):
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    shutil.copytree(here / "b0", here / "copy")
    (here / "latest").symlink_to(here / "b2")
    begin_bundle(here / "b0", here / "open")
    manifest = json.loads((here / "b1" / "manifest.json").read_text())
    for name, change in {"newer": {"format": 99}, "older": {"roofmark": 7}}.items():
        shutil.copytree(here / "b1", here / name)
        (here / name / "manifest.json").write_text(json.dumps(manifest | change))
    shutil.copytree(here / "b2", here / "cut")
    (here / "cut" / "run.json").write_bytes(b'{"dev')
    (here / "foreign").mkdir()
    (here / "foreign" / "manifest.json").write_text('{"name": "a web app"}')
    history = read_history(here, cache=tmp_path / "cache")
    assert names(history) == ["b0", "b1", "b2"]
    told = reasons(history)
    assert told["copy"] == "a copy of b0, counted once"
    assert "links are not followed" in told["latest"]
    assert told["open"] == "the bundle is not sealed"
    assert "has format 99" in told["newer"]
    assert told["cut"] == "run.json was changed"
    assert "not a record" in told["older"] and "not a record" in told["foreign"]
    assert len(told) == 7
    assert reasons(read_history(here, cache=tmp_path / "cache")) == told


def test_a_sealed_lie_ends_nothing(folder, tmp_path):
    """The digests fit, the contents do not: whoever writes a bundle can seal anything."""
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    reseal(here / "b1", "run.json", b'"sessions": []', SESSION)
    reseal(here / "b0", "study.json", b'"baseline": "base"', b'"baseline": "nobody"')
    history = read_history(here, cache=tmp_path / "cache")
    assert names(history) + sorted(reasons(history)) == ["b2", "b0", "b1"]


def test_filters_and_pins_that_match_nothing_are_errors(folder, tmp_path):
    cache = tmp_path / "cache"
    for wrong in ({"solution": "none"}, {"solution": "base"}, {"workload": "n9"}):
        with pytest.raises(StudyError, match="RM130"):
            read_history(folder, cache=cache, **wrong)
    pin(folder / "b1", tmp_path / "pin.json", force=True, reason="a test")
    pinned = read_pin(tmp_path / "pin.json")
    history = read_history(folder, cache=cache, pin=pinned)
    assert [step.pinned for step in history.lines[0].steps] == [False, True, False]
    assert history.lines[0].pin.speedups["fast"] == pytest.approx(2.0, rel=0.01)
    from msgspec.structs import replace

    with pytest.raises(StudyError, match=r"the pin is of .* and no bundle is"):
        read_history(folder, cache=cache, pin=replace(pinned, device_name="Other GPU"))


def test_processes_share_the_work_and_one_that_dies_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("roofmark.remembering.reading._ALONE", 1)
    monkeypatch.setattr("roofmark.remembering.reading._SHARE", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    source = open_source(folder)
    with Index(tmp_path / "cache") as index:
        wanted = [found for found, _ in survey(source, index).found]
        results = {f.name: r for f, r in read_all(source, wanted, index, extract=die_on_b1)}
        assert [isinstance(results[n], Read) for n in ("b0", "b1", "b2")] == [True, False, True]
        assert "was killed" in results["b1"]
        kept = [index.kept(r.kept.bundle) for r in results.values() if isinstance(r, Read)]
        assert len(kept) == 2 and all(kept)


def test_two_at_once_and_one_that_is_killed_leave_a_sound_index(folder, tmp_path):
    command = [sys.executable, "-c", "from roofmark.cli import console; console()", "log", folder]
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    running[0].kill()
    _, one, other = (each.communicate()[0] for each in running)
    assert one == other and b"b2 BEST FASTER" in one
    assert [each.returncode for each in running] == [-9, 0, 0]


# --- addresses -----------------------------------------------------------------------------------
@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def test_an_address_is_read_like_a_folder(folder, memory, tmp_path):
    here = read_history(folder, cache=tmp_path / "a")
    memory.put(f"{folder}/", "/runs/", recursive=True)
    cache = tmp_path / "b"
    assert read_history("memory://runs", cache=cache).lines == here.lines
    with zipfile.ZipFile(tmp_path / "runs.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    assert read_history(f"zip://::{tmp_path}/runs.zip", cache=cache).lines == here.lines
    assert read_history(f"file://{folder}", cache=cache).lines == here.lines


def test_a_remote_bundle_that_changed_is_never_served(folder, memory, tmp_path):
    memory.put(f"{folder}/", "/runs/", recursive=True)
    read_history("memory://runs", cache=tmp_path)
    data = memory.cat("/runs/b1/environment.json")
    memory.pipe("/runs/b1/environment.json", data.replace(b"Test CPU", b"Best CPU"))
    history = read_history("memory://runs", cache=tmp_path)
    assert names(history) == ["b0", "b2"]
    assert reasons(history) == {"b1": "environment.json was changed"}


def test_names_that_lead_out_of_a_bundle_are_refused(folder, memory, tmp_path):
    memory.put(f"{folder}/", "/runs/", recursive=True)
    memory.store["/runs/b1/../../../escaped"] = memory.store["/runs/b1/run.json"]
    history = read_history("memory://runs", cache=tmp_path / "cache")
    assert names(history) == ["b0", "b2"]
    assert "which is no bundle's file" in reasons(history)["b1"]
    assert not list(tmp_path.parent.rglob("escaped"))


def test_addresses_that_cannot_be_read_say_why(tmp_path, monkeypatch, memory):
    for address, why in (
        ("nonsense://x", "Protocol not known"),
        (f"zip://::{tmp_path}/none.zip", "No such file"),
    ):
        with pytest.raises(BundleError, match=f"RM471.*{why}"):
            read_history(address, cache=tmp_path)
    with pytest.raises(BundleError, match="RM401"):
        read_history("memory://empty", cache=tmp_path)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(BundleError, match=r"RM470.*(?s:.)*roofmark\[remote\]"):
        read_history("memory://runs", cache=tmp_path)
