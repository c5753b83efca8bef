"""A verdict and a bundle in a notebook: small, escaped, from nowhere else."""

import pytest
from places import begin_bundle, reseal
from small import write_bundle

import roofmark as rm
from roofmark.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return rm.open_bundle(write_bundle(tmp_path_factory.mktemp("notebook") / "b"))


def test_a_verdict_shows_its_answer_and_no_more(bundle):
    verdict = rm.judge(bundle)
    html, text = verdict._repr_html_(), verdict._repr_markdown_()
    for shown in (html, text):
        assert "2.001x" in shown and "fast" in shown and verdict.bundle[:12] in shown
        assert len(shown) < 4000
    assert "<td>faster</td>" in html and "| fast | faster |" in text
    assert "http" not in html and "<script" not in html and "src=" not in html


def test_a_bundle_says_what_it_holds_and_is_not_judged(bundle, monkeypatch):
    monkeypatch.setattr("roofmark.api.judge", None)
    html, text = bundle._repr_html_(), bundle._repr_markdown_()
    for shown in (html, text):
        assert bundle.digest in shown and "passed" in shown and "base, fast" in shown


def test_what_strangers_wrote_is_text(bundle, tmp_path):
    place = begin_bundle(bundle.path, tmp_path / "copy")
    (place / ".lock").unlink()
    (place / "manifest.json").write_bytes((bundle.path / "manifest.json").read_bytes())
    reseal(place, "study.json", b'"title": ""', b'"title": "<script>x</script>|`a`\\u202e"')
    evil = rm.open_bundle(place)
    for value in (evil, rm.judge(evil)):
        assert "<script>" not in value._repr_html_() and "\u202e" not in value._repr_html_()
        assert "<script>" not in value._repr_markdown_()
    assert "\\|\\`a\\`" in evil._repr_markdown_()


def test_a_bundle_that_cannot_be_read_says_why(tmp_path):
    shown = Bundle(tmp_path / "b<i>", {}, "0")._repr_html_()
    assert "cannot be read" in shown and "study.json is missing" in shown and "<i>" not in shown
