"""One sheet, two renderings: the order in which a reviewer asks, the same facts, true commands."""

import re
import shlex

import pytest

from roofmark.analysis.judge import judge_bundle
from roofmark.bundle import BundleWriter
from roofmark.cli.judge import _weigh
from roofmark.reports import proof
from roofmark.reports.blocks import Table
from roofmark.reports.html import render_html
from roofmark.reports.markdown import escape, render_markdown
from roofmark.reports.study_sheet import study_sheet
from roofmark.so_far import judge_so_far

ASKED = ("compared", "trust", "why", "evidence", "provenance", "reproduce")


@pytest.mark.parametrize("kind", ["one", "many", "nothing", "hostile"])
def test_both_forms_answer_in_the_same_order(pages, kind):
    verdict, bundle = pages(kind)
    sheet = study_sheet(verdict, bundle)
    assert tuple(each.name for each in sheet.sections) == ASKED
    html, text = render_html(verdict, bundle), render_markdown(verdict, bundle)
    for places in (
        [html.index(f'<section id="{name}"') for name in ASKED],
        [text.index(f"### {escape(each.title)}") for each in sheet.sections],
    ):
        assert places == sorted(places)
    assert escape(sheet.headline) in text


def test_a_page_works_with_keys_and_is_told_aloud(pages):
    html = render_html(*pages("many")).partition("<script")[0]
    assert re.search(r'<body>\s*<a class="skip" href="#content">', html)
    assert html.count("<th ") == html.count('<th scope="'), "every head names what it is a head of"
    assert html.count("<table") == html.count("<caption") == html.count('role="region" tabindex')
    assert html.count("<details>") == html.count("<summary>") >= 3
    assert len(re.findall(r"<h1\b", html)) == 1
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_every_claim_of_a_page_holds(pages):
    claims = 0
    for kind in ("one", "many"):
        verdict, bundle = pages(kind)
        found = {each.solution: each for each in verdict.overall}
        for command, _ in proof.reproduce(verdict, bundle):
            words = shlex.split(command)
            if "--claim" in words:
                name, word, *least = words[-1].split()
                claims += 1
                assert _weigh(found[name], word, float(least[0]) if least else None) == 0
    assert claims >= 4


def test_a_failed_check_of_trust_is_told_beside_the_answer(pages):
    for kind, mark, told in (("one", "good", "All "), ("unhealthy", "doubt", "RM310")):
        sheet = study_sheet(*pages(kind))
        table, trust = sheet.top
        assert isinstance(table, Table)
        assert trust.mark == mark and told in trust.text


def test_what_is_judged_meanwhile_is_what_is_judged_at_the_end(pages, tmp_path):
    _, bundle = pages("one")
    with BundleWriter(tmp_path / "open") as writer:
        writer.copy(bundle)
        traces = list(bundle.traces())
        meanwhile = judge_so_far(writer, traces)
    assert meanwhile.cells == judge_bundle(bundle).cells
