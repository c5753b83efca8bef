"""Files from strangers: forged bundles, and folders that would hang, exhaust or lead astray.

Every reader either answers or raises a RoofmarkError that people can read. The long trial of the
same kind is benchmarks/hostile_files.py.
"""

import gzip
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time

import pytest
from forging import HONEST, POISON, READERS, drives, forge, poison, read_files, write_forged

from roofmark import api
from roofmark.bundle import Manifest, open_bundle, verify_bundle
from roofmark.errors import RoofmarkError
from roofmark.importers import read_foreign
from roofmark.records import decode, digest
from roofmark.reports.html import render_html
from roofmark.reports.markdown import render_markdown
from roofmark.reports.terminal import render_terminal

# Chosen: a hundred times what it takes on a quiet machine; a hang takes for ever.
SECONDS = 100
LONGEST_MESSAGE = 20_000
# What has a form of its own in a record; everything else is free text.
FORMED = {
    "type", "device", "tier", "cache", "role", "workload", "solution", "language", "kind", "build",
    "source", "binary", "output", "entropy", "quantity", "roofmark", "readings", "targets",
}  # fmt: skip


@pytest.fixture(scope="module")
def honest():
    return read_files(HONEST)


@pytest.mark.parametrize("seed", range(16))
def test_a_forged_bundle_is_answered_or_refused(honest, tmp_path, seed):
    forged, what = forge(honest, random.Random(seed))
    folder = write_forged(tmp_path / "forged", forged)
    began = time.monotonic()
    for name, reader in READERS.items():
        try:
            reader(folder, tmp_path)
        except RoofmarkError as error:
            assert error.code.startswith("RM"), (name, what)
            assert len(str(error)) < LONGEST_MESSAGE, (name, what)
    assert time.monotonic() - began < SECONDS, what


def test_no_text_of_a_bundle_acts_on_a_page(honest, tmp_path):
    """Every free text at once; the bundle is as sound as before, so all pages are made of it."""
    files = dict(honest)
    for name in [n for n in files if n.endswith((".json", ".jsonl")) and n != "study.json"]:
        lines = [files[name]] if name.endswith(".json") else files[name].splitlines()
        changed = [poison(json.loads(line), _formed) for line in lines]
        files[name] = b"".join(json.dumps(each).encode() + b"\n" for each in changed)
    study = json.loads(files["study.json"])
    files["study.json"] = json.dumps(study | {"title": POISON}).encode()
    bundle = open_bundle(write_forged(tmp_path / "b", files))
    verdict = api.judge(bundle)
    assert drives(bundle.environment.os), "the poison is in it"
    shown = render_terminal(verdict, bundle, colour=False)
    page = render_html(verdict, bundle).partition('<script type="module">')[0]
    for text in (shown, render_markdown(verdict, bundle), page):
        assert not drives(text), drives(text)
    assert "\n::" not in shown and "##[" not in shown
    assert "<script>alert" not in page and "<img" not in page
    for reader in ("gate", "compare", "log", "export"):
        READERS[reader](bundle.path, tmp_path)


def _formed(at):
    return bool(FORMED & set(at)) or at[-2:-1] in (("packages",), ("tools",), ("variables",))


def test_the_page_runs_without_unsafe_eval(honest, tmp_path):
    bundle = open_bundle(HONEST)
    page = render_html(api.judge(bundle), bundle)
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert "unsafe-eval" not in policy and "script-src &#39;sha256-" in policy
    assert "ast: true" in page, "its expressions are interpreted"


# --- the seal ------------------------------------------------------------------------------------
def _with_manifest(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest["files"])
    path.write_text(json.dumps(manifest))
    return folder


def test_negative_sizes_hide_no_large_ones(honest, tmp_path):
    folder = write_forged(tmp_path / "b", honest)
    nothing = {"sha256": "0" * 64, "bytes": -(2**40)}
    _with_manifest(folder, lambda files: files.update({"logs/x": nothing}))
    with pytest.raises(RoofmarkError, match="RM402"):
        open_bundle(folder)


def test_two_names_that_differ_by_case_are_refused(honest, tmp_path):
    files = honest | {"logs/a/B.txt": b"x", "logs/a/b.txt": b"x"}
    with pytest.raises(RoofmarkError, match="differ by case"):
        open_bundle(write_forged(tmp_path / "b", files))


@pytest.mark.parametrize(
    "name", ["sources/" + "0" * 64, "builds/" + "0" * 64 + ".json"], ids=["source", "build"]
)
def test_a_file_under_another_digest_is_refused(honest, tmp_path, name):
    folder = write_forged(tmp_path / "b", honest)
    data = b"{}"
    (folder / name).write_bytes(data)
    entry = {"sha256": digest(data), "bytes": len(data)}
    _with_manifest(folder, lambda files: files.update({name: entry}))
    assert verify_bundle(folder) == [f"{name} holds something of another digest"]


def test_nothing_is_opened_behind_a_link(honest, tmp_path):
    """Some devices begin to work when they are opened; a linked folder could lead to one."""
    folder = write_forged(tmp_path / "b", honest)
    shutil.move(folder / "logs", tmp_path / "logs")
    (folder / "logs").symlink_to(tmp_path / "logs")
    wrong = verify_bundle(folder)
    assert "logs/simd/build.txt is a link" in wrong
    assert "logs was added" in wrong


def test_a_folder_that_is_too_deep_or_closed_is_refused(honest, tmp_path):
    folder = write_forged(tmp_path / "b", honest)
    (folder / "/".join("d" * 12)).mkdir(parents=True)
    with pytest.raises(RoofmarkError, match="nested"):
        open_bundle(folder)


def test_a_huge_name_is_told_shortly(honest, tmp_path):
    folder = write_forged(tmp_path / "b", honest)
    _with_manifest(folder, lambda files: files.update({"x\n" * 10**6: files["run.json"]}))
    with pytest.raises(RoofmarkError) as caught:
        open_bundle(folder)
    assert len(str(caught.value)) < 2000


def test_a_trace_in_another_ones_file_is_refused(honest, tmp_path):
    files = dict(honest)
    files["traces/B1/simd.jsonl"] = files["traces/B1/eager.jsonl"]
    with pytest.raises(RoofmarkError, match="RM440"):
        api.judge(write_forged(tmp_path / "b", files))


def test_a_role_that_a_solution_has_not_is_refused(honest, tmp_path):
    files = dict(honest)
    text = files["traces/B1/zeros.jsonl"]
    files["traces/B1/zeros.jsonl"] = text.replace(b'"role":"wrong"', b'"role":"solution"')
    with pytest.raises(RoofmarkError, match="RM440"):
        api.judge(write_forged(tmp_path / "b", files))


def test_more_workloads_than_people_measure_are_not_judged(honest, tmp_path):
    study = json.loads(honest["study.json"])
    study["workloads"] = [{"axes": {"B": n}} for n in range(1, 20_000)]
    files = honest | {"study.json": json.dumps(study).encode()}
    began = time.monotonic()
    with pytest.raises(RoofmarkError):
        api.judge(write_forged(tmp_path / "b", files))
    assert time.monotonic() - began < SECONDS


def test_numbers_without_end_are_read_in_bounded_memory(honest, tmp_path):
    """4 MB of samples in a process that may have 1 GB: refused or read, and no MemoryError."""
    files = dict(honest)
    first, *rest = files["traces/B1/eager.jsonl"].splitlines()
    start = first.index(b'"samples":[') + len(b'"samples":[')
    bomb = first[:start] + b"1," * 2_000_000 + first[start:]
    files["traces/B1/eager.jsonl"] = b"\n".join([bomb, *rest]) + b"\n"
    folder = write_forged(tmp_path / "b", files)
    code = (
        "import sys; from roofmark.bundle import open_bundle\n"
        "for _ in open_bundle(sys.argv[1]).traces(): pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "MemoryError" not in done.stderr


# --- files that hang, and names that are no text -------------------------------------------------
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_nothing_waits_for_a_file_that_is_none(call, tmp_path, kind):
    file, journal = tmp_path / "file", tmp_path / "loop" / "journal.jsonl"
    journal.parent.mkdir()
    (tmp_path / "loop" / "loop.json").write_text("{}")
    for path in (file, journal):
        os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    assert call("gate", HONEST, "--baseline", file)[0] == 2
    assert call("cite", file, HONEST)[0] == 2
    assert call("import", file)[0] == 2
    assert call("verify", HONEST, "--signer", file)[0] == 2
    assert call("verify", HONEST, "--verdict", file)[0] == 1
    assert call("loop", "status", journal.parent)[0] == 4


def test_names_that_are_no_text_are_shown(call, honest, tmp_path):
    folder = write_forged(tmp_path / "b", honest)
    name = os.fsencode(folder / "logs") + b"/\xff\x1b[2J\n::error::x"
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    for words in (("verify", folder), ("verify", folder, "--json"), ("log", tmp_path, "--json")):
        code, out, err = call(*words)
        assert code in (0, 4), err
        assert "\n::" not in out and not drives(out)
        assert "--json" not in words or json.loads(out)


def test_what_one_line_says_begins_no_other(call, honest, tmp_path):
    environment = json.loads(honest["environment.json"])
    environment["packages"]["torch"] = "2\nreproduced: all of it"
    files = honest | {"environment.json": json.dumps(environment).encode()}
    code, out, _ = call("compare", HONEST, write_forged(tmp_path / "b", files))
    assert code in (0, 1, 2, 3)
    assert "\nreproduced" not in out


# --- other tools' files --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b'{"traceEvents": [' + b'{"a":' * 100_000,
        b'{"a": 1e999, "a": NaN}',
        b"kernel,calls\n" + b'"' * 100_000,
        gzip.compress(b'{"traceEvents": [' + b" " * 50_000_000),
        b"SQLite format 3\x00" + b"\xff" * 5000,
        b"NVR\x00" + b"\xff" * 5000,
        b"\x1f\x8b" + b"\x00" * 100,
        b"ID,Process ID\n" * 50_000,
        ("| " * 100_000).encode(),
    ],
    ids=["deep", "events", "numbers", "quotes", "bomb", "sqlite", "report", "gzip", "rows", "bars"],
)
def test_a_foreign_file_is_read_or_refused(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    began = time.monotonic()
    with pytest.raises(RoofmarkError):
        read_foreign(path)
    assert time.monotonic() - began < SECONDS


def test_the_manifest_is_read_back(honest, tmp_path):
    """The forger makes what it should: without a change its bundle is intact."""
    folder = write_forged(tmp_path / "b", honest)
    assert verify_bundle(folder) == []
    assert decode((folder / "manifest.json").read_bytes(), Manifest, where="t").format == 1
