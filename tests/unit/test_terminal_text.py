"""Text from outside: nothing in it acts, nothing hides, and honest text stays as it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofmark.reports.markdown import escape
from roofmark.reports.wording import lines_text, one_line
from roofmark.terminal_text import file_name, plain, plain_line, quiet, quiet_json

# Any text that a file can bring, half surrogates included: names of files have them.
TEXT = st.text(st.characters(codec=None, categories=None))
HOSTILE = st.text(
    st.sampled_from("\x1b]0;\x07\r\n:#[@<>|`*_\u202e\u200b\U000e0041\ufe0f\u3164\ud800\uffffaé µ×")
)


@given(st.one_of(TEXT, HOSTILE))
def test_nothing_acts_and_nothing_hides(text):
    shown = plain(text)
    assert all(each.isprintable() or each in "\n\t" for each in shown)
    shown.encode()
    assert "\n" not in plain_line(text)
    assert one_line(text).isprintable()
    assert len(lines_text([text, text]).splitlines()) <= 2 or "\t" in text


@given(st.one_of(TEXT, HOSTILE))
def test_a_page_shows_one_line_of_it(text):
    assert "\n" not in escape(text) and escape(text).isprintable()


@pytest.mark.parametrize(
    "text", ["12.34 µs", "3.2× [3.1, 3.3]", "a\tb\nc", "é – … ²", "namespace::f<T>", "# 1", "日本"]
)
def test_honest_text_stays(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\ufffd[31mred"),
        ("a\rb", "a\ufffdb"),
        ("no\u00a0break", "no break"),
        ("a\u3164b\U000e0041", "a\ufffdb\ufffd"),
        ("\u2705\ufe0f", "\u2705"),
        ("::error::x", ": :error::x"),
        ("a\n  ::set-output name=x::y", "a\n  : :set-output name=x::y"),
        ("##[error]x", "# #[error]x"),
        ("a ##vso[task.setvariable]x", "a # #vso[task.setvariable]x"),
    ],
)
def test_what_acts_is_shown(text, shown):
    assert plain(text) == shown


@given(st.text(st.sampled_from('#[vso]ab\\" ')))
def test_quiet_json_is_the_same_data(text):
    encoded = quiet_json(json.dumps([text]))
    assert json.loads(encoded) == [text]
    assert quiet(encoded) == encoded


def test_a_file_name_that_is_no_text_can_be_stored():
    assert file_name("a\udcff.json") == "a\\udcff.json"
    assert file_name("ü.json") == "ü.json"
