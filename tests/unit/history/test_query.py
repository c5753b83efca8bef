"""SQL over bundles: what the tables hold, what a query may not do, what a cache may not say."""

import errno
import fcntl
import os
import re
import shutil
from pathlib import Path

import pytest
from places import reseal, write_folder

pytest.importorskip("duckdb")

from roofmark.analysis.judge import judge_bundle
from roofmark.bundle import open_bundle
from roofmark.errors import BundleError, StudyError
from roofmark.querying import asking, query
from roofmark.querying.schema import TABLES

ROOT = Path(__file__).parents[3]
SECRET = "nobody may read this"
# What somebody who does not mean well would try; {file} exists and {new} does not.
HOSTILE = """
SELECT * FROM '{file}'
SELECT * FROM read_csv('{file}')
SELECT * FROM read_text('{file}')
SELECT * FROM read_blob('{file}')
SELECT * FROM read_json('{file}')
SELECT * FROM read_parquet('{file}')
SELECT * FROM glob('{folder}/*')
SELECT * FROM sniff_csv('{file}')
SELECT * FROM query('SELECT * FROM read_text(''{file}'')')
SELECT * FROM read_csv('https://example.org/x.csv')
SELECT * FROM 'https://example.org/x.parquet'
SELECT * FROM read_duckdb('{folder}/other.duckdb')
SELECT * FROM sqlite_scan('{folder}/other.sqlite', 't')
SELECT * FROM enable_logging(storage = 'file', storage_path = '{new}')
SELECT getenv('HOME')
SELECT * FROM secret
COPY studies TO '{new}'
COPY (SELECT 1) TO '{new}'
EXPORT DATABASE '{new}'
IMPORT DATABASE '{folder}'
ATTACH '{folder}/other.duckdb' AS o
ATTACH '{new}'
INSTALL httpfs
LOAD httpfs
LOAD '{new}'
SET enable_external_access = true
SET lock_configuration = false
RESET ALL
PRAGMA profiling_output = '{new}'
CALL enable_logging()
CREATE TABLE t (a INT)
CREATE SECRET s (TYPE s3)
INSERT INTO findings SELECT * FROM findings
UPDATE verdicts SET decision = 'faster'
DELETE FROM verdicts
DROP TABLE verdicts
WITH t AS (DELETE FROM verdicts RETURNING *) SELECT * FROM t
BEGIN
SELECT 1; DROP TABLE verdicts
CHECKPOINT
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def rows(sql, folder, cache):
    with query(sql, folder, cache=cache) as answer:
        return list(answer.rows)


def test_the_tables_say_what_the_bundles_say(folder, cache):
    bundle = open_bundle(folder / "b2")
    verdict = judge_bundle(bundle)
    samples = [
        (t.workload, t.solution, t.process, m.tier, v.block, i, s)
        for t in bundle.traces()
        for m in t.outcome.measurements
        for v in m.visits
        for i, s in enumerate(v.samples)
    ]
    asked = f"FROM samples WHERE bundle = '{verdict.bundle}'"
    found = rows(
        f"SELECT workload, solution, process, tier, block, sample, seconds {asked}", folder, cache
    )
    assert sorted(found) == sorted(samples) and samples
    asked = f"FROM verdicts WHERE bundle = '{verdict.bundle}' AND scope = 'workload'"
    found = rows(
        f"SELECT workload, solution, decision, speedup, seconds_low {asked}", folder, cache
    )
    cells = [
        (c.workload, c.solution, c.decision, c.speedup.value, c.time.low) for c in verdict.cells
    ]
    assert sorted(found) == sorted(cells)
    assert rows("SELECT path FROM studies ORDER BY path", folder, cache) == [
        ("b0",), ("b1",), ("b2",),
    ]  # fmt: skip
    count = f"SELECT count(*) FROM findings WHERE bundle = '{verdict.bundle}'"
    assert rows(count, folder, cache) == [(len(verdict.findings),)]


@pytest.mark.parametrize("name", TABLES)
def test_the_schema_is_the_tables(folder, cache, name):
    with query(f"FROM {name}", folder, cache=cache) as answer:
        shown = [(column, kind) for column, kind in answer.columns]
    assert shown == [(each.name, each.type) for each in TABLES[name].columns]


@pytest.mark.parametrize("sql", HOSTILE.strip().splitlines())
def test_a_query_reads_the_tables_and_nothing_else(folder, cache, tmp_path, sql):
    import duckdb

    (tmp_path / "secret.csv").write_text(f"a\n{SECRET}\n")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as other:
        other.execute("CREATE TABLE t AS SELECT 1 AS a")
    secret = SECRET  # a variable of this name is no table either
    before = sorted(tmp_path.iterdir())
    places = {"folder": tmp_path, "file": tmp_path / "secret.csv", "new": tmp_path / "new"}
    with pytest.raises(StudyError, match=r"RM47[23]") as caught:
        rows(sql.format(**places), folder, cache)
    assert secret not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    assert rows("SELECT count(*) FROM studies", folder, cache) == [(3,)]


def test_an_error_names_what_exists(folder, cache, monkeypatch):
    closed = [each.replace("1GiB", "32MiB") for each in asking.CLOSED]
    monkeypatch.setattr(asking, "CLOSED", closed)
    for sql, told in (
        ("SELECT speed FROM verdicts", ("RM472", "verdicts: bundle, scope", '"speed')),
        ("SELECT * FROM verdict", ("RM472", "studies, traces, samples, kernels, verdicts")),
        ("SELEC 1", ("RM472", "syntax error", "SELEC 1")),
        ("SELECT CAST(study AS INT) FROM studies", ("RM472", "Conversion")),
        ("", ("RM472", "no SQL")),
        ("-- nothing", ("RM472", "no SQL")),
        ("SELECT list(a.seconds || b.bundle) FROM samples a, samples b, samples c, samples d",
         ("RM472", "more memory than 1GiB")),
    ):  # fmt: skip
        with pytest.raises(StudyError) as caught:
            rows(sql, folder, cache)
        assert all(each in str(caught.value) for each in told), str(caught.value)


def test_what_changed_moved_or_left_is_never_served(folder, tmp_path):
    here, cache = tmp_path / "here", tmp_path / "cache"
    shutil.copytree(folder, here)
    where = "SELECT path, (SELECT count(*) FROM samples s WHERE s.bundle = studies.bundle) > 0 "
    where += "FROM studies ORDER BY path"
    assert rows(where, here, cache) == [("b0", True), ("b1", True), ("b2", True)]
    shutil.rmtree(here / "b0")
    (here / "b1").rename(here / "moved")
    (here / "b2" / "run.json").write_bytes(b"{}")
    with query(where, here, cache=cache) as answer:
        assert list(answer.rows) == [("moved", True)]
        assert [d.name for d in answer.damaged] == ["b2"]
    assert rows("SELECT count(DISTINCT bundle) FROM findings", here, cache) == [(1,)]
    shutil.rmtree(cache)
    assert rows(where, here, cache) == [("moved", True)]


def test_a_damaged_or_unwritable_cache_is_no_obstacle(folder, tmp_path):
    asked = "SELECT count(*), count(DISTINCT bundle) FROM traces"
    before = rows(asked, folder, tmp_path / "a")
    (file,) = (tmp_path / "a").glob("*.duckdb")
    for junk in (b"", b"x" * 100_000, file.read_bytes()[:20_000]):
        file.write_bytes(junk)
        assert rows(asked, folder, tmp_path / "a") == before
    assert not list((tmp_path / "a").glob("filling-*"))
    (tmp_path / "file").write_bytes(b"")
    assert rows(asked, folder, tmp_path / "file") == before


def test_a_full_disk_is_told_and_what_a_kill_left_is_swept(folder, tmp_path, monkeypatch):
    for name, held in (("filling-dead", False), ("filling-busy", True)):
        (tmp_path / name).mkdir()
        lock = (tmp_path / name / ".lock").open("wb")
        if held:
            fcntl.flock(lock, fcntl.LOCK_EX)
            busy = lock
        else:
            lock.close()
        os.utime(tmp_path / name, (0, 0))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("roofmark.querying.filling.Filling._lines", full)
        with pytest.raises(BundleError, match=r"RM474.*No space left"):
            rows("SELECT 1", folder, tmp_path)
    assert [each.name for each in tmp_path.glob("filling-*")] == ["filling-busy"]
    busy.close()
    assert rows("SELECT count(*) FROM studies", folder, tmp_path) == [(3,)]
    assert not list(tmp_path.glob("filling-*"))


def test_a_value_that_no_table_holds_takes_one_bundle_out(folder, tmp_path):
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    trace = min(p.relative_to(here / "b1") for p in (here / "b1").glob("traces/*/*.jsonl"))
    # Each count is one that a record may hold; their sum is none that a table may.
    most = b'{"output":"y","calls":9223372036854775807,"timed":0,'
    more = most + b'"error":{"type":"nonfinite","elements":0},"passed":true}'
    reseal(here / "b1", str(trace), b'"checks":[', b'"checks":[' + more + b"," + more + b",")
    with query("SELECT path FROM studies ORDER BY path", here, cache=tmp_path / "c") as answer:
        assert list(answer.rows) == [("b0",), ("b2",)]
        assert [(d.name, "fits no table" in d.reason) for d in answer.damaged] == [("b1", True)]


def test_without_duckdb_it_says_how_to_get_it(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(BundleError, match=r"RM470(?s:.)*roofmark\[query\]"):
        rows("SELECT 1", folder, tmp_path)


def test_every_query_of_the_page_gives_rows(tmp_path):
    page = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    shown = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert len(shown) > 5
    for sql in shown:
        assert rows(sql, ROOT / "evidence", tmp_path), sql
