"""Timelines: torch traces and Nsight Systems exports, whole, cut, and hostile."""

import gzip
import json
import os
import sqlite3
import time
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


NO_JSON = {"traceEvents": [*EVENTS, _event("a nan, inf", 2, bandwidth="@"), *EVENTS]}


@pytest.mark.parametrize("piece", [97, 1 << 22])
@pytest.mark.parametrize("number", ["inf", "-nan", "Infinity"])
def test_numbers_that_are_none_lose_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, piece: int
):
    monkeypatch.setattr(torch_trace, "_PIECE", piece)
    path = tmp_path / "t.json"
    path.write_text(json.dumps(NO_JSON).replace('"@"', number))
    found = read_foreign(path)
    rows = {row.name: row.calls for row in _tables(found)["gpu"].rows}
    assert rows == {"void k<int>(int)": 4, "a nan, inf": 1}
    assert found.completeness == Complete()


def test_a_duration_that_is_no_number_is_missing_and_no_name_changes(tmp_path: Path):
    events = [*EVENTS, _event("k", "@"), _event(': nan, "b": inf}', 4)]
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"traceEvents": events}).replace('"@"', "nan"))
    found = read_foreign(path)
    assert {row.name for row in _tables(found)["gpu"].rows} == {
        "void k<int>(int)",
        ': nan, "b": inf}',
    }
    assert isinstance(found.completeness, Partial)
    assert found.completeness.reasons[0].startswith("1 events of kernels")


@pytest.mark.parametrize("end", [", ]}", ',\n], "traceName": "t"}', ",]", ",\n"])
def test_a_comma_behind_the_last_event_loses_nothing(tmp_path: Path, end: str):
    whole = {"traceEvents": EVENTS[:2]} if "}" in end else EVENTS[:2]
    path = tmp_path / "t.json"
    path.write_text(json.dumps(whole).rstrip("]}") + "}}" + end)
    found = read_foreign(path)
    assert found.completeness == Complete()
    assert _tables(found)["gpu"].rows[0].calls == 2


def test_two_lists_of_events_are_refused(tmp_path: Path):
    path = tmp_path / "t.json"
    one, two = json.dumps(EVENTS), json.dumps(EVENTS[:1])
    path.write_text(f'{{"traceEvents": {one}, "traceEvents": {two}}}')
    with pytest.raises(ImportFailed, match="two lists"):
        read_foreign(path)


def test_a_kernel_that_begins_and_ends_in_two_events_is_told(tmp_path: Path):
    begin = {"ph": "B", "cat": "kernel", "name": "k", "ts": 1}
    found = read_foreign(_trace(tmp_path, {"traceEvents": [*EVENTS, begin]}))
    assert isinstance(found.completeness, Partial)
    with pytest.raises(ImportFailed, match="1 events of kernels or calls have no duration"):
        read_foreign(_trace(tmp_path, {"traceEvents": [begin]}))


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


COPIES = """
CREATE TABLE ENUM_CUDA_MEMCPY_OPER (id INT, label TEXT);
CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INT, "end" INT, copyKind INT);
CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INT, "end" INT);
INSERT INTO ENUM_CUDA_MEMCPY_OPER VALUES (1, 'Host-to-Device');
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (0, 7000, 1), (5, 15, 99);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (0, 500);
"""
GRAPHS = """
CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start INT, "end" INT, graphId INT);
INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES (0, 7000, 5), (9000, 18000, 5), (0, 100, 6);
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


def test_dropped_none_is_no_loss(tmp_path: Path):
    none = "'Number of incomplete CUPTI events dropped: 0. Incomplete events appear when'"
    found = read_foreign(_export(tmp_path, f"INSERT INTO DIAGNOSTIC_EVENT VALUES ({none})"))
    assert found.completeness == Complete()


def test_copies_and_fills_are_told_by_their_kind(tmp_path: Path):
    found = read_foreign(_export(tmp_path, COPIES))
    assert {row.name: row.total for row in _tables(found)["copies"].rows} == {
        "[CUDA memcpy Host-to-Device]": pytest.approx(7e-6),
        "[CUDA memcpy 99]": pytest.approx(10e-9),
        "[CUDA memset]": pytest.approx(500e-9),
    }
    assert found.completeness == Complete()


@pytest.mark.parametrize("kernels", ["", "DROP TABLE CUPTI_ACTIVITY_KIND_KERNEL"])
def test_graphs_are_time_of_the_device_and_their_kernels_are_absent(tmp_path: Path, kernels: str):
    found = read_foreign(_export(tmp_path, GRAPHS, kernels))
    rows = {row.name: (row.calls, row.total) for row in _tables(found)["gpu"].rows}
    assert rows["[CUDA graph 5]"] == (2, pytest.approx(16e-6))
    assert len(rows) == 2 + (not kernels)
    assert isinstance(found.completeness, Partial)
    assert "3 launches of CUDA graphs" in found.completeness.reasons[0]


def test_a_kernel_whose_time_was_not_collected_is_not_of_zero_seconds(tmp_path: Path):
    found = read_foreign(
        _export(tmp_path, "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (0, 0, 1)")
    )
    assert _tables(found)["gpu"].rows[0].calls == 2
    assert isinstance(found.completeness, Partial)
    assert found.completeness.reasons[0].startswith("1 of 3 rows")


def _replace(table: str, columns: str, *more: str) -> str:
    return ";".join((f"DROP TABLE {table}", f"CREATE TABLE {table} ({columns})", *more))


# One row of it takes half a minute, in which SQLite asks nobody whether it may go on. It is written
# into the schema, because SQLite computes it when a row is inserted, too.
SLOW = "(printf('%.*c', 900000, 'a') LIKE ('%' || printf('%.*c', 40000, 'a') || 'b'))"
SLOW_NAMES = _replace(
    "StringIds",
    "id INT, value TEXT AS ('k') VIRTUAL",
    "INSERT INTO StringIds(id) VALUES (1), (2)",
    "PRAGMA writable_schema = ON",
    f"""UPDATE sqlite_master SET sql = replace(sql, '(''k'')', "{SLOW}")""",
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (SLOW_NAMES, "'value' is generated"),
        (_replace("DIAGNOSTIC_EVENT", "a INT, text TEXT AS (abs(a)) STORED"), "is generated"),
        (
            "DROP TABLE DIAGNOSTIC_EVENT; CREATE VIEW DIAGNOSTIC_EVENT AS SELECT 'x' AS text",
            "is a view",
        ),
        (
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET "
            "sql = 'CREATE VIEW DIAGNOSTIC_EVENT AS SELECT ' || quote(1) || ' AS text' "
            "WHERE name = 'DIAGNOSTIC_EVENT'",
            "malformed database schema|not authorized|prohibited",
        ),
        (
            _replace("StringIds", "id INT, value TEXT")
            + "; INSERT INTO StringIds VALUES (1, 'a'), (1, 'b'), (2, 'cudaFree')",
            "two names have the number 1",
        ),
    ],
)
def test_what_a_file_computes_or_says_twice_is_refused_at_once(
    tmp_path: Path, change: str, told: str
):
    path = _export(tmp_path, change)
    start = time.monotonic()
    with pytest.raises(ImportFailed, match=told) as raised:
        read_foreign(path)
    assert raised.value.code == "RM416"
    assert time.monotonic() - start < 10


def test_reading_ends_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nsys_sqlite, "_MOST_SECONDS", -1.0)
    monkeypatch.setattr(nsys_sqlite, "_STEPS", 1)
    with pytest.raises(ImportFailed, match="takes more than") as raised:
        read_foreign(_export(tmp_path))
    assert raised.value.code == "RM417"


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
