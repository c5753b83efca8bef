"""`roofmark query` and the pages of `roofmark log` as a process would call them."""

import csv
import io
import json

import pytest
from places import begin_bundle, write_folder

from roofmark.querying.schema import TABLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("bundles"))


def test_the_command_line(call, folder, tmp_path, monkeypatch):
    pytest.importorskip("duckdb")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sql = "SELECT path, speedup, codes, NULL AS none FROM verdicts JOIN studies USING (bundle) "
    sql += "WHERE scope = 'overall' AND role = 'solution' ORDER BY path"
    code, out, err = call("query", sql, folder)
    assert (code, err, out.splitlines()[-1]) == (0, "", "3 rows")
    assert out.split()[:4] == ["path", "speedup", "codes", "none"]
    held = json.loads(call("query", sql, folder, "--json")[1])
    assert [c["name"] for c in held["columns"]] == ["path", "speedup", "codes", "none"]
    assert [row[0] for row in held["rows"]] == ["b0", "b1", "b2"] and held["damaged"] == []
    table = list(csv.reader(io.StringIO(call("query", sql, folder, "--csv")[1])))
    assert [float(row[1]) for row in table[1:]] == [row[1] for row in held["rows"]]
    assert table[1][2:] == ["[]", ""]
    code, out, _ = call("query", "SELECT * FROM range(500)", folder)
    assert "500 rows, of which the first 200 are shown" in out
    assert call("query", "SELECT 'a' || chr(27) || '[2J'", folder)[1].count("\x1b") == 0
    assert call("query", "DROP TABLE studies", folder)[0] == 2
    assert call("query", "", folder)[0] == 2
    assert call("query", sql, folder, "--json", "--csv")[0] == 2
    assert call("query", sql, tmp_path)[0] == 4
    begin_bundle(folder / "b0", tmp_path / "some" / "open")
    code, _, err = call("query", "SELECT count(*) FROM studies", tmp_path / "some")
    assert (code, "open: the bundle is not sealed" in err) == (0, True)
    assert call("query", "--schema")[1].count("digest of the bundle's manifest") == len(TABLES)
    assert set(json.loads(call("query", "--schema", "--json")[1])) == set(TABLES)


def test_nothing_that_can_be_read_is_damage(call, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    begin_bundle(folder / "b0", tmp_path / "only" / "open")
    code, out, _ = call("log", tmp_path / "only")
    assert (code, "not sealed" in out) == (4, True)
    assert call("log", tmp_path / "nowhere")[0] == 4
