"""Ceilings: what is kept, what is measured again, and one real measurement of this CPU."""

import math
import subprocess
import sys

import pytest
from machine_fakes import machine

from roofmark.bench.ceilings import CeilingSet, cache_path, collect_ceilings, device_key
from roofmark.bench.host import Host
from roofmark.evidence import Ceiling
from roofmark.records import Missing, decode, encode

FOUND = CeilingSet(
    ceilings=(
        Ceiling(quantity="copy", value=4e10, source="measured: x", size=2**20, measured=True),
    ),
    notes=("arithmetic:float8 not measured: no such unit",),
)


class Runner:
    """Counts how often a measurement was asked for."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    def __call__(self, *arguments, limit):
        self.calls.append((arguments, limit))
        return self.answer


def host_of(tmp_path, **options):
    return machine(tmp_path / "root", environ={"XDG_CACHE_HOME": str(tmp_path / "c")}, **options)


def answer(found=FOUND):
    return Runner(f"some library's banner\n{encode(found).decode()}\n")


def test_measured_once_then_kept_then_fresh(tmp_path):
    host, run = host_of(tmp_path), answer()
    first = collect_ceilings("cpu", host=host, run=run, limit=7.0)
    assert first == FOUND and run.calls == [(("roofmark.bench.ceilings", "cpu"), 7.0)]
    again = collect_ceilings("cpu", host=host, run=run)
    assert again.cached and (again.ceilings, again.notes) == (FOUND.ceilings, FOUND.notes)
    assert len(run.calls) == 1
    assert not collect_ceilings("cpu", fresh=True, host=host, run=run).cached
    assert len(run.calls) == 2
    assert [path.suffix for path in (tmp_path / "c/roofmark/ceilings").iterdir()] == [".json"]


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", b"\xff"])
def test_a_damaged_cache_is_measured_again(tmp_path, damage):
    host, run = host_of(tmp_path), answer()
    collect_ceilings("cpu", host=host, run=run)
    next((tmp_path / "c/roofmark/ceilings").iterdir()).write_bytes(damage)
    assert not collect_ceilings("cpu", host=host, run=run).cached
    assert collect_ceilings("cpu", host=host, run=run).cached


def test_another_torch_is_measured_again(tmp_path):
    host, run = host_of(tmp_path), answer()
    collect_ceilings("cpu", host=host, run=run)
    path = next((tmp_path / "c/roofmark/ceilings").iterdir())
    key = device_key("cpu", host)
    path.write_bytes(path.read_bytes().replace(key["torch"].encode(), b"1.0.0"))
    assert not collect_ceilings("cpu", host=host, run=run).cached


@pytest.mark.parametrize(
    "said", [Missing(reason="python did not answer within 60 s"), "", "\n", "{}", "banner only"]
)
def test_a_failure_is_no_ceilings_and_a_reason(tmp_path, said):
    found = collect_ceilings("cpu", host=host_of(tmp_path), run=Runner(said))
    assert found.ceilings == () and "not measured" in found.notes[0]
    assert not (tmp_path / "c").exists()


def test_no_gpu_is_told_without_measuring(tmp_path):
    host, run = host_of(tmp_path), answer()
    if not isinstance(device_key("cuda", Host()), Missing):
        pytest.skip("there is a GPU here")
    found = collect_ceilings("cuda", host=host, run=run)
    assert "no CUDA device" in found.notes[0] and run.calls == []


def test_a_cache_that_cannot_be_written_costs_only_a_note(tmp_path):
    (tmp_path / "c").write_text("a file where a folder should be")
    found = collect_ceilings("cpu", host=host_of(tmp_path), run=answer())
    assert found.ceilings == FOUND.ceilings and "not kept" in found.notes[-1]


def test_cache_path(tmp_path):
    key = {"device": "Intel(R) Xeon / x, 8 cores"}
    path = cache_path(key, machine(tmp_path, environ={"HOME": "/home/me"}))
    assert str(path).startswith("/home/me/.cache/roofmark/ceilings/Intel-R-Xeon-x-8-cores-")
    relative = machine(tmp_path, environ={"XDG_CACHE_HOME": "here", "HOME": "/h"})
    assert str(cache_path(key, relative)).startswith("/h/.cache/")
    assert cache_path(key, machine(tmp_path)) is None


def test_usage_error():
    done = subprocess.run(
        [sys.executable, "-m", "roofmark.bench.ceilings", "tpu"], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")


def test_this_cpu():
    """The control flow that a GPU runs too: sizes, rotation, medians, provenance."""
    done = subprocess.run(
        [sys.executable, "-m", "roofmark.bench.ceilings", "cpu"],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    found = decode(done.stdout, CeilingSet, where="stdout")
    assert found.notes == ()
    by = {name: [c for c in found.ceilings if c.quantity == name] for name in
          ("copy", "read", "launch:call", "arithmetic:float32", "arithmetic:float64")}  # fmt: skip
    assert sum(map(len, by.values())) == len(found.ceilings)
    assert [c.size for c in by["copy"]] == [2**20 << k for k in range(len(by["copy"]))]
    assert len(by["copy"]) == len(by["read"]) >= 5
    assert all(1e8 < c.value < 1e13 for name in ("copy", "read") for c in by[name])
    assert 1e-8 < by["launch:call"][0].value < 1e-3
    assert by["arithmetic:float32"][0].value > by["arithmetic:float64"][0].value > 1e8
    for each in found.ceilings:
        assert each.measured and math.isfinite(each.value)
        assert each.source.startswith("measured: ") and "median of" in each.source
        assert "cores, torch " in each.source
