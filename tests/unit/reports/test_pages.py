"""Pages hold everything, let nothing through, and need nothing from outside."""

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from pages import HOSTILE

from roofmark.errors import BundleError
from roofmark.reports import write_report
from roofmark.reports.charts import draw_charts, render_svg
from roofmark.reports.charts.forest import draw_forest
from roofmark.reports.html import embed_json, render_html
from roofmark.reports.markdown import escape, render_markdown
from roofmark.reports.terminal import print_verdict, render_terminal

KINDS = ("one", "many", "hostile", "nothing", "accepted")


class Page(HTMLParser):
    """Collects tags with attributes, text outside scripts, and scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.words, self._open = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        (self.scripts if self._open == "script" else self.words).append(data)


# --- HTML ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_html_loads_nothing_and_runs_only_its_own_scripts(pages, kind):
    page = Page(render_html(*pages(kind)))
    tags = [tag for tag, _ in page.tags]
    drawn = any(chart.spec for chart in draw_charts(*pages(kind)))
    assert tags.count("script") == (3 if drawn else 1), "the specifications, Vega, and ours"
    assert not {"img", "iframe", "object", "embed", "form", "base"} & set(tags)
    for tag, attributes in page.tags:
        assert "src" not in attributes
        assert attributes.get("href", "data:,").startswith(("data:,", "#"))
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    policy = next(a["content"] for _, a in page.tags if "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == (2 if drawn else 0)
    assert "script-src 'unsafe-inline'" not in policy


def test_html_shows_hostile_text_as_text(pages):
    text = render_html(*pages("hostile"))
    shown = " ".join("".join(Page(text).words).split())
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7 * 7 }}" in shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", text)


def test_html_names_every_comparison(pages):
    verdict, bundle = pages("large")
    text = render_html(verdict, bundle)
    assert len(text.encode()) < 2_000_000
    words = set(Page(text).words)
    assert {cell.workload for cell in verdict.cells} <= words
    assert len({cell.workload for cell in verdict.cells}) == 54


def test_html_specifications_survive_the_page(pages):
    page = Page(render_html(*pages("hostile")))
    specs = json.loads(page.scripts[0])
    assert "speed-ups" in specs
    assert "</script" not in page.scripts[0].lower()


def test_embedded_json_can_end_nothing():
    value = {"a": "</script><!-- & \u2028 \u2029"}
    text = embed_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


# --- Markdown ------------------------------------------------------------------------------------
def test_markdown_keeps_hostile_text_inside_its_cell(pages):
    text = render_markdown(*pages("hostile"), charts="charts")
    assert "<script" not in text.replace("\\<script", "")
    assert "\x1b" not in text
    assert not re.search(r"^(#+ heading|> \[!NOTE)", text, re.MULTILINE)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) >= 4
    for each in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in each.splitlines()}
        assert len(widths) == 1, "no cell has torn its row"
    assert "http://" not in text
    assert not re.search(r"@someone|(?<!\\)\[a", text)


def test_markdown_begins_with_the_answer_and_folds_the_rest(pages):
    verdict, bundle = pages("one")
    text = render_markdown(verdict, bundle)
    assert text.splitlines()[2].startswith("**Against eager, cuda is 3.4")
    assert "| 3.4" in text, "a ratio is no list"
    assert text.count("<details>") == text.count("</details>") >= 4
    for cell in verdict.cells:
        assert f"| {escape(cell.workload)} |" in text
    accepted = render_markdown(*pages("accepted"))
    assert accepted.index("RM310") < accepted.index("as fast")


@pytest.mark.parametrize(
    "text", ["a|b", "`x`", "[a](b)", "<b>", "*x*", "# h", "1. x", "- x", "$x$"]
)
def test_markdown_escapes_each_special(text):
    escaped = escape(text).replace("<!-- -->", "")
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert not re.search(r"(?<!\\)[|`\[<*#$]", escaped)


# --- terminal ------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [*KINDS, "large"])
def test_terminal_fits_eighty_columns_and_is_plain(pages, kind):
    text = render_terminal(*pages(kind), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)


def test_terminal_names_every_solution_and_every_code(pages):
    verdict, bundle = pages("hostile")
    text = render_terminal(verdict, bundle, width=100)
    for each in verdict.overall:
        assert each.solution in text or each.role == "twin"
    assert "A/A twin" in text
    assert {"RM503", "RM504", "RM505"} <= set(re.findall(r"RM\d+", text))
    assert "[bold]rich[/bold]" in render_terminal(verdict, bundle, width=4000)


def test_terminal_colours_only_when_asked(pages):
    verdict, bundle = pages("one")
    assert "\x1b[" in render_terminal(verdict, bundle, colour=True)
    assert "\x1b[" not in render_terminal(verdict, bundle, colour=False)


def test_print_verdict_needs_no_unicode(pages, monkeypatch):
    verdict, bundle = pages("one")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_verdict(verdict, bundle)
    sys.stdout.flush()
    text = raw.getvalue().decode("ascii")
    assert "cuda is 3.4" in text
    assert "?s" in text, "the micro sign is replaced, the number is not lost"


# --- charts --------------------------------------------------------------------------------------
def test_charts_of_a_large_study_stay_small(pages):
    for chart in draw_charts(*pages("large")):
        if chart.spec is None:
            continue
        svg = render_svg(chart)
        assert len(svg) < 150_000, chart.name
        ET.fromstring(svg)
        assert "<script" not in svg


def test_a_chart_without_data_says_so(pages):
    verdict, bundle = pages("nothing")
    charts = draw_charts(verdict, bundle)
    assert [chart.spec for chart in charts] == [None] * 6
    assert all(chart.absent.endswith(".") for chart in charts)
    with pytest.raises(ValueError, match="nothing to draw"):
        render_svg(charts[0])
    assert "No speed-up could be estimated" in render_html(verdict, bundle)


def test_the_forest_holds_every_speed_up(pages):
    verdict, _ = pages("many")
    text = json.dumps(draw_forest(verdict).spec)
    for cell in verdict.cells:
        assert f'"value": {cell.speedup.value}' in text


# --- files ---------------------------------------------------------------------------------------
def test_write_report_chooses_by_suffix_and_overwrites_nothing(pages, tmp_path):
    verdict, bundle = pages("one")
    html = write_report(verdict, bundle, tmp_path / "deep" / "page.html")
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(BundleError) as caught:
        write_report(verdict, bundle, html)
    assert caught.value.code == "RM409"
    write_report(verdict, bundle, html, force=True)
    page = write_report(verdict, bundle, tmp_path / "page.md")
    named = re.findall(r"\]\((page-charts/[a-z-]+\.svg)\)", page.read_text(encoding="utf-8"))
    assert len(named) == 5
    assert all((tmp_path / name).is_file() for name in named)
    page.unlink()
    with pytest.raises(BundleError, match="RM409"):
        write_report(verdict, bundle, page)
    charts = write_report(verdict, bundle, tmp_path / "all.svg")
    assert {file.name for file in charts.iterdir()} == {
        "speed-ups.svg", "roofline.svg", "size.svg", "samples.svg", "ecdf.svg"
    }  # fmt: skip
    assert not list(tmp_path.rglob("*.partial"))


def test_write_report_refuses_other_forms_and_places(pages, tmp_path):
    verdict, bundle = pages("one")
    with pytest.raises(BundleError) as caught:
        write_report(verdict, bundle, tmp_path / "page.pdf")
    assert caught.value.code == "RM413"
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError) as caught:
        write_report(verdict, bundle, tmp_path / "file" / "page.html")
    assert caught.value.code == "RM408"


def test_the_same_verdict_gives_the_same_page(pages):
    assert render_html(*pages("one")) == render_html(*pages("one"))
    assert HOSTILE not in render_html(*pages("hostile"))


def test_judge_and_terminal_import_no_charts():
    code = (
        "import sys, roofmark.reports.terminal, roofmark.analysis.judge;"
        "print([m for m in ('altair', 'vl_convert', 'jinja2', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
