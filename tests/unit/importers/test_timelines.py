"""Timelines: torch traces and Nsight Systems exports, whole, cut, and hostile."""

import gzip
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Imported, KernelTable, Partial
from roofmark.importers import nsys_sqlite, read_foreign, torch_trace

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)


def _tables(found: Imported) -> dict[str, KernelTable]:
    return {table.kind: table for table in found.contents if isinstance(table, KernelTable)}


# --- torch ---------------------------------------------------------------------------------------
def _event(name: Any, dur: Any, cat: str = "kernel", **args: Any) -> dict[str, Any]:
    return {"ph": "X", "cat": cat, "name": name, "ts": 1.5, "dur": dur, "args": args}


EVENTS = [
    _event("void k<int>(int)", 3, nested=[{"a": 1}, {"b": 2}], text='"}, {"'),
    _event("void k<int>(int)", 5.5),
    _event("Memcpy HtoD", 1, "gpu_memcpy"),
    _event("cudaLaunchKernel", 2, "cuda_runtime"),
    _event("aten::mm", 9, "cpu_op"),
    {"ph": "M", "name": "process_name", "args": {"name": "python"}},
]


def _trace(folder: Path, data: Any, *, indent: int | None = None, name: str = "t.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(data, indent=indent))
    return path


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("piece", [1, 97, 1 << 22])
def test_events_are_the_same_wherever_the_stream_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, piece: int
):
    monkeypatch.setattr(torch_trace, "_PIECE", piece)
    data = {"schemaVersion": 1, "traceEvents": EVENTS * 7, "traceName": "]}, {"}
    found = read_foreign(_trace(tmp_path, data, indent=indent))
    tables = _tables(found)
    (kernel,) = tables["gpu"].rows
    assert (kernel.calls, kernel.total) == (14, pytest.approx(59.5e-6))
    assert kernel.median == pytest.approx(4.25e-6)
    assert tables["copies"].rows[0].calls == tables["api"].rows[0].calls == 7
    assert found.completeness == Complete() and "42 events" in found.notes[0]


def test_gzip_a_bare_array_and_one_without_its_bracket(tmp_path: Path):
    path = tmp_path / "t.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"traceEvents": EVENTS}).encode()))
    for each in (path, _trace(tmp_path, EVENTS)):
        assert _tables(read_foreign(each))["gpu"].rows[0].calls == 2
    open_ended = tmp_path / "open.json"
    open_ended.write_text(json.dumps(EVENTS)[:-1])
    assert read_foreign(open_ended).completeness == Complete()


def test_a_cut_trace_is_partial_and_says_how_much_it_held(tmp_path: Path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"traceEvents": EVENTS * 5})[:-100])
    found = read_foreign(path)
    assert isinstance(found.completeness, Partial)
    assert "cut or damaged after" in found.completeness.reasons[0]


@pytest.mark.parametrize("dur", [None, "3", -1, True, 1e400])
def test_an_event_without_a_duration_is_counted_not_guessed(tmp_path: Path, dur: Any):
    text = json.dumps({"traceEvents": [*EVENTS, _event("k", "@")]}).replace(
        '"@"', "1e300" if dur == 1e400 else json.dumps(dur)
    )
    path = tmp_path / "t.json"
    path.write_text(text)
    found = read_foreign(path)
    partial = isinstance(found.completeness, Partial)
    assert partial == (dur != 1e400)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"traceEvents": []}, "RM418"),
        ({"traceEvents": [EVENTS[-1]]}, "RM418"),
        ({"traceEvents": [1, 2]}, "RM416"),
        ({"schemaVersion": 1, "traceName": "x"}, "RM416"),
    ],
)
def test_a_trace_without_kernels_is_no_result(tmp_path: Path, data: Any, code: str):
    with pytest.raises(ImportFailed) as raised:
        read_foreign(_trace(tmp_path, data), format="torch_trace")
    assert raised.value.code == code


def test_deep_nesting_is_refused_not_a_crash(tmp_path: Path):
    path = tmp_path / "deep.json"
    path.write_text('{"traceEvents": [{"ph": "X", "args": ' + "[" * 200_000)
    with pytest.raises(ImportFailed):
        read_foreign(path)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_change_crashes_a_trace(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    text = json.dumps({"traceEvents": EVENTS * 2, "traceName": "t"})
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(text[:start] + data.draw(st.text(max_size=8)) + text[end:])
    try:
        read_foreign(path, format="torch_trace")
    except ImportFailed as error:
        assert error.problems[0].mend


# --- Nsight Systems ------------------------------------------------------------------------------
SCHEMA = """
CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT);
CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INT, "end" INT, demangledName INT);
CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INT, "end" INT, nameId INT);
CREATE TABLE DIAGNOSTIC_EVENT (text TEXT);
INSERT INTO StringIds VALUES (1, 'k''); DROP TABLE StringIds; --'), (2, 'cudaLaunchKernel');
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (0, 1000, 1), (2000, 5000, 1);
INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (0, 500, 2);
"""


def _export(folder: Path, *more: str) -> Path:
    path = folder / "report?#%.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA + ";".join(more))
    return path


def test_an_export_gives_kernels_and_calls(tmp_path: Path):
    found = read_foreign(_export(tmp_path))
    tables = _tables(found)
    (kernel,) = tables["gpu"].rows
    assert kernel.name.startswith("k'); DROP")
    assert (kernel.calls, kernel.total, kernel.median) == (
        2,
        pytest.approx(4e-6),
        pytest.approx(2e-6),
    )
    assert tables["api"].rows[0].calls == 1 and found.completeness == Complete()


def test_dropped_events_make_an_export_partial(tmp_path: Path):
    lost = "INSERT INTO DIAGNOSTIC_EVENT VALUES ('Number of incomplete CUPTI events dropped: 7')"
    said = "INSERT INTO DIAGNOSTIC_EVENT VALUES ('Profiling has started.')"
    found = read_foreign(_export(tmp_path, said, lost)).completeness
    assert isinstance(found, Partial) and len(found.reasons) == 1 and "7" in found.reasons[0]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET \"end\" = 'x'",
        'UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET "end" = -5',
        "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET demangledName = 99",
        "DROP TABLE StringIds",
        "DROP TABLE CUPTI_ACTIVITY_KIND_KERNEL; DROP TABLE CUPTI_ACTIVITY_KIND_RUNTIME",
        "DELETE FROM CUPTI_ACTIVITY_KIND_KERNEL; DELETE FROM CUPTI_ACTIVITY_KIND_RUNTIME",
        "DROP TABLE CUPTI_ACTIVITY_KIND_KERNEL; CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (x INT)",
        "DROP TABLE StringIds; CREATE VIEW StringIds AS SELECT 1 AS id, 'k' AS value",
    ],
)
def test_a_strange_export_is_refused(tmp_path: Path, change: str):
    with pytest.raises(ImportFailed):
        read_foreign(_export(tmp_path, change))


def test_a_column_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nsys_sqlite, "_MOST_SECONDS", 0.5)
    change = (
        "DROP TABLE StringIds",
        "CREATE TABLE StringIds (id INT, value TEXT AS (printf('%.*c', 9999, 'x')) VIRTUAL)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999) "
        "INSERT INTO StringIds(id) SELECT 1 FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999) "
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL SELECT 0, 1, 1 FROM n",
    )
    with pytest.raises(ImportFailed, match="interrupted"):
        read_foreign(_export(tmp_path, *change))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_crashes_an_export(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = tmp_path_factory.mktemp("nsys")
    whole = _export(folder).read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:start] + data.draw(st.binary(max_size=30)) + whole[start + 20 :]
    path = folder / "damaged.sqlite"
    path.write_bytes(damaged[: data.draw(st.integers(100, len(damaged)))])
    try:
        read_foreign(path, format="nsys_sqlite")
    except ImportFailed as error:
        assert error.problems[0].mend


# --- what others published -----------------------------------------------------------------------
@pytest.mark.skipif(not CASES.is_dir(), reason="no folder of real evidence by others")
def test_two_published_timelines():
    (trace,) = (CASES / "torch-trace").glob("*.pt.trace.json.gz")
    kernels = _tables(read_foreign(trace))["gpu"]
    assert len(kernels.rows) == 67 and sum(row.calls for row in kernels.rows) == 13_530
    assert kernels.total == pytest.approx(761.997e-3, rel=1e-6)
    assert kernels.rows[0].calls == 3040
    assert kernels.rows[0].mean == pytest.approx(204.278e-6, rel=1e-5)
    audit = read_foreign(CASES / "wo-parity-audit/B_run.sqlite")
    assert _tables(audit)["gpu"].rows[0].calls == 33
    assert isinstance(audit.completeness, Partial) and "24806" in audit.completeness.reasons[0]
