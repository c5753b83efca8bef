"""Charts and pages of a history: what they draw, what they leave out, and hostile text in them."""

import xml.etree.ElementTree as ElementTree

import pytest
from msgspec.structs import replace
from small import write_bundle

from roofmark.analysis.history import Damaged, trace_history
from roofmark.analysis.summaries import summarise_bundle
from roofmark.bundle import open_bundle
from roofmark.errors import BundleError
from roofmark.reports.charts.paint import render_svg
from roofmark.reports.charts.timeline import MOST_POINTS, draw_timelines
from roofmark.reports.history_pages import write_history
from roofmark.reports.sparkline import sparkline

EVIL = "</script><img src=x onerror=alert(1)>\u2028'];alert(1)//"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return summarise_bundle(open_bundle(write_bundle(tmp_path_factory.mktemp("b") / "b")))


def many(run, count, **changes):
    return trace_history(
        [(f"s{i}", replace(run, bundle=f"{i}", started=float(i), **changes)) for i in range(count)],
        [Damaged(name=EVIL, reason=EVIL)],
    )


def test_what_a_bundle_says_is_text_on_every_page(run, tmp_path):
    history = many(run, 3, title=EVIL, commit=EVIL, device_name=EVIL)
    for name in ("h.html", "h.md", "h.svg"):
        write_history(history, tmp_path / name)
    page = (tmp_path / "h.html").read_text()
    assert "<img src=x" not in page and page.count("</script>") == page.count("<script")
    text = (tmp_path / "h.md").read_text()
    assert "<img" not in text.replace("\\<", "")
    drawn = sorted(p.name for p in (tmp_path / "h.svg").iterdir())
    assert drawn == sorted(p.name for p in (tmp_path / "h-charts").iterdir())
    assert drawn == ["line-1-speed-up.svg", "line-1-time-1.svg"]
    for name in drawn:
        tree = ElementTree.parse(tmp_path / "h.svg" / name)
        assert not [e for e in tree.iter() if e.tag.endswith(("script", "image", "}a"))]
        assert name in text


def test_a_page_is_not_overwritten_and_has_a_form(run, tmp_path):
    history = many(run, 3)
    write_history(history, tmp_path / "h.md")
    with pytest.raises(BundleError, match="RM409"):
        write_history(history, tmp_path / "h.md")
    write_history(history, tmp_path / "h.md", force=True)
    with pytest.raises(BundleError, match="RM413"):
        write_history(history, tmp_path / "h.pdf")


def test_a_chart_shows_the_newest_and_says_what_it_leaves_out(run):
    history = many(run, MOST_POINTS + 50)
    chart, *_ = draw_timelines(history.lines[0], 1)
    rows = [row for data in points(chart.spec) for row in data]
    assert len({row["at"] for row in rows}) in (MOST_POINTS, MOST_POINTS + 1)
    assert max(row["at"] for row in rows) == MOST_POINTS + 50
    assert "older ones in which nothing changed are left out" in chart.caption
    assert render_svg(chart).startswith("<svg")


def points(spec):
    """Yield the rows that layers draw as marks of bundles."""
    held = spec.get("datasets", {}).values()
    inline = (layer.get("data", {}).get("values", []) for layer in (spec, *spec["layer"]))
    for rows in (*held, *inline):
        if rows and "at" in rows[0]:
            yield rows


def test_a_sparkline_keeps_order_gaps_and_marks():
    assert sparkline([1.0, None, 2.0, 4.0], ["", "", "+", "*"], 60) == ("▁·▅█", "  +*")
    assert sparkline([1.0, 1.001], ["", ""], 60)[0] == "▁▁"
    bars, marks = sparkline([1.0] * 50 + [2.0] * 50, [""] * 50 + ["+"] + [""] * 49, 10)
    assert (bars, marks) == ("▁▁▁▁▁█████", "     +")
    assert sparkline([None, None], ["", ""], 60) == ("··", "")
