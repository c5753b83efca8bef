"""What the viewer's pages say: list, filter, drill, compare, follow."""

import shutil
import time

import pytest
from places import reseal
from scenes import ADDRESS, Bench, a_try, begin_loop

from roofmark.bundle import open_bundle


def until(client, path, text, *, limit=20.0):
    """Ask again until a page says so, as a page that follows does."""
    end = time.monotonic() + limit
    while text not in (page := client.get(path).text):
        assert time.monotonic() < end, page[-3000:]
        time.sleep(0.05)
    return page


def rows(page):
    return [each.partition('"')[0] for each in page.split('<tr data-name="')[1:]]


def test_the_list_shows_every_bundle_with_its_verdict(viewer):
    page = viewer().get("/").text
    assert sorted(rows(page)) == ["deep/tuesday", "monday", "monday-copy", "other"]
    assert "4 of 4 bundles" in page and "a copy of monday" in page
    assert page.count('class="verdict faster"') == 4


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("text=tues", ["deep/tuesday"]),
        ("text=MONDAY+copy", ["monday-copy"]),
        ("verdict=slower&sort=name&down=0", ["deep/tuesday", "monday", "monday-copy"]),
        ("verdict=damaged", []),
        ("device=nothing", []),
        ("since=2030-01-01", []),
        ("until=2026-06-01&sort=name", ["monday-copy", "monday", "deep/tuesday"]),
        ("sort=speedup&text=day", ["monday", "monday-copy", "deep/tuesday"]),
        ("sort=nonsense&page=x&down=9&since=%00", ["deep/tuesday", "monday", "monday-copy"]),
        ("page=99&text=other", ["other"]),
    ],
)
def test_filters_and_orders(viewer, words, names):
    found = rows(viewer().get(f"/?{words}").text)
    assert [each for each in found if each in names or each != "other"] == names


def test_from_the_verdict_down_to_samples_source_and_proof(viewer, folder):
    client = viewer()
    page = client.get("/bundle?at=monday").text
    assert "Against eager, fast is 2.0" in page and "/cell?at=monday&amp;workload=n4096" in page
    cell = client.get("/cell?at=monday&workload=n4096&solution=fast").text
    assert '"us":' in cell and "calls checked" in cell and "24 visits" in cell
    bundle = open_bundle(folder / "monday")
    proof = client.get("/solution?at=monday&solution=fast").text
    build = bundle.build(next(t.outcome.build for t in bundle.traces() if t.solution == "fast"))
    assert build.binary in proof and build.source in proof and "sass sm_90" in proof
    source = bundle.source(bundle.study.files[bundle.study.solution("fast").path]).decode()
    assert source.splitlines()[0].replace('"', "&#34;").replace("'", "&#39;") in proof
    report = client.get("/report?at=monday")
    assert "vega" in report.text
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts;")
    assert "too few" in client.get("/rule?code=rm308").text


def test_comparability_comes_first(viewer):
    client = viewer()
    page = client.get("/compare?with=monday&with=deep/tuesday").text
    assert "B against A" in page and "0 differences void it" in page and "n4096" in page
    page = client.get("/compare?with=monday&with=other").text
    assert "They may not be compared" in page and "To make them comparable" in page
    assert "Time A / B" not in page
    same = client.get("/compare?with=monday&with=monday-copy")
    assert (same.status_code, "the same bundle" in same.text) == (409, True)
    assert client.get("/compare?with=monday").status_code == 400
    assert client.get("/compare?with=monday&with=nothing").status_code == 404


def test_a_damaged_bundle_is_shown_with_its_reason_and_harms_no_other(viewer, folder):
    with (folder / "other/run.json").open("a") as file:
        file.write(" ")
    client = viewer()
    page = client.get("/").text
    assert (
        'class="state damaged"' in page and "run.json" in page and page.count("verdict faster") == 3
    )
    assert "nothing in it is shown" in client.get("/bundle?at=other").text
    for path in ("/cell?at=other&workload=n1&solution=fast", "/report?at=other"):
        assert client.get(path).status_code == 409
    assert client.get("/bundle?at=monday").status_code == 200


def test_what_strangers_wrote_is_text(viewer, folder):
    title = b'"title":"<img src=x onerror=alert(1)>\\u001b[2J\\u202e"'
    reseal(folder / "monday", "study.json", b'"title": ""', title)
    client = viewer()
    for path in ("/", "/bundle?at=monday", "/cell?at=monday&workload=n1&solution=fast"):
        page = client.get(path).text
        assert "&lt;img src=x onerror" in page, path
        assert "<img" not in page and "\x1b" not in page and "\u202e" not in page
    evil = client.get("/", params={"text": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in evil
    assert "<script>alert" not in client.get("/bundle", params={"at": "<script>alert"}).text


def test_a_run_is_followed_to_its_verdict_at_one_address(viewer, folder):
    client = viewer()
    bench = Bench(folder / "now")
    until(client, "/", 'class="state running"')
    page = client.get("/bundle?at=now")
    assert "Being measured: 0 of 2 workloads decided" in page.text
    assert "no process has ended yet" in page.text and 'data-follow="1"' in page.text
    mark = {"if-none-match": page.headers["etag"]}
    assert client.get("/bundle?at=now", headers=mark).status_code == 304
    bench.writer.append(bench.left.pop(0))
    page = client.get("/bundle?at=now", headers=mark)
    assert page.status_code == 200 and "0 of 2 workloads decided" in page.text
    bench.go(7)
    page = client.get("/bundle?at=now", headers=mark)
    assert page.status_code == 200 and "2 of 2 workloads decided" in page.text
    assert "Sets of processes: 14 of at most 24" in page.text
    assert 'class="verdict faster"' not in page.text
    cell = client.get("/cell?at=now&workload=n1&solution=fast").text
    assert "so far" in cell and "verdict faster" not in cell
    assert "How fast was built" in client.get("/solution?at=now&solution=fast").text
    bench.seal()
    page = until(client, "/bundle?at=now", "Whole report")
    assert "Against eager, fast" in page and "data-follow" not in page


def test_a_killed_run_keeps_what_it_measured(viewer, folder):
    bench = Bench(folder / "now")
    bench.go(2)
    client = viewer()
    bench.writer.close()
    page = until(client, "/bundle?at=now", "Interrupted: 0 of 2")
    assert "roofmark run --resume runs/now" in page and "16 processes ended" in page


def test_a_loop_is_followed_from_its_journal(viewer, folder):
    journal = begin_loop(folder / "search")
    shutil.copytree(folder / "monday", folder / "search/start")
    shutil.copytree(folder / "deep/tuesday", folder / "search/tries/0002/first")
    client = viewer()
    page = client.get("/").text
    assert "2 steps of loops" in page and rows(page).count("search/start") == 0
    assert "search/start" in rows(client.get("/?tries=1").text)
    page = client.get("/loop?at=search").text
    assert "1 tries, nothing was kept" in page and "nvcc said &lt;no&gt;" in page
    journal.append(a_try(2, "kept", 1.5))
    page = client.get("/loop?at=search").text
    assert "best is try 2, 1.5x the start" in page and "/bundle?at=search%2Ftries%2F0002" in page
    assert client.get("/loop?at=deep").status_code == 404
    (folder / "search/journal.jsonl").write_text("{}\n")
    assert client.get("/loop?at=search").status_code == 409
    assert 'class="state damaged"' in client.get("/").text


def test_an_empty_folder_and_one_that_vanishes(viewer, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    assert "no bundle in this folder yet" in viewer(tmp_path / "empty").get("/").text
    client = viewer()
    folder.rename(tmp_path / "gone")
    page = until(client, "/", "cannot be looked into")
    assert "No such file" in page and rows(page) == []
    assert client.get("/bundle?at=monday").status_code == 404
    (tmp_path / "gone").rename(folder)
    assert len(rows(until(client, "/", "4 of 4 bundles"))) == 4


def test_one_bundle_can_be_named_itself(viewer, folder):
    assert rows(viewer(folder / "monday").get("/").text) == ["monday"]
    assert ADDRESS.startswith("http://127.0.0.1")
