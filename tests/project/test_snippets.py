"""Every block of the pages: run, or skipped with the reason and parsed."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import typer

from roofmark.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
snippets = importlib.import_module("snippets")
sys.path.remove(str(ROOT / "tools"))

BLOCKS = [block for page in snippets.pages() for block in snippets.blocks_of(page)]
PAGES = snippets.pages()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give each page one folder, which its blocks share."""
    made = {}

    def of(page):
        if page not in made:
            made[page] = snippets.scratch(tmp_path_factory.mktemp("page") / "here")
        return made[page]

    return of


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_what_a_page_shows_happens(block, folder):
    why = block.skipped()
    if why:
        pytest.skip(f"{block.where}: {why}")
    assert snippets.run_block(block, folder(block.page)) == ""


def parse(line):
    """Parse a command line as the program would, without running it."""
    words = snippets.words_of(line)
    group = typer.main.get_command(app)
    if words[0].startswith("--"):
        # Options of the program itself act as soon as they are parsed.
        assert words[0] in {option for each in group.params for option in each.opts}, line
        return words[0]
    context = group.make_context("roofmark", list(words))
    name, command, rest = group.resolve_command(context, words)
    try:
        command.make_context(name, rest, parent=context)
    except Exception as error:
        # A place in an example that is not there is no fault of the line; an option is.
        if "does not exist" not in str(error):
            raise
    return name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_only_names_is_a_command_line(page):
    for line in snippets.command_lines(page):
        assert parse(line), line


def test_there_is_something_to_run_and_nothing_is_skipped_in_silence():
    ran = [block for block in BLOCKS if not block.skipped()]
    assert len(ran) > 20
    for block in BLOCKS:
        if block.skipped():
            print(f"not run: {block.where}: {block.skipped()}")
            assert block.marks.get("needs") or block.marks.get("slow"), block.where


def make(tmp_path, monkeypatch, text):
    monkeypatch.setattr(snippets, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    return snippets.blocks_of(tmp_path / "page.md")


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("a\nb", ""),
        ("a\n...\nc", ""),
        ("a   b", ""),
        ("a\nc", "a c"),
        ("c\n...\na", "a"),
        ("d", "d"),
    ],
)
def test_a_wrong_output_is_noticed(tmp_path, monkeypatch, shown, missing):
    text = "```bash\nprintf 'a\\nb\\nc\\n'\n```\n\n<!-- output -->\n```text\n{}\n```\n"
    (block,) = make(tmp_path, monkeypatch, text.format(shown))
    fault = snippets.run_block(block, tmp_path)
    assert fault == "" if not missing else f"does not print '{missing}'" in fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```bash\nexit 1\n```\n", "ended with 1, not 0"),
        ("```python\n1/0\n```\n", "ZeroDivisionError"),
        ("```bash\nroofmark rules RM999\n```\n", "ended with 2, not 0"),
        ("<!-- exit: 2 -->\n```bash\nroofmark rules RM307\n```\n", "ended with 0, not 2"),
    ],
)
def test_a_block_that_fails_is_noticed(tmp_path, monkeypatch, text, fault):
    (block,) = make(tmp_path, monkeypatch, text)
    assert fault in snippets.run_block(block, tmp_path)


@pytest.mark.parametrize(
    "text", ["<!-- neds: gpu -->\n```bash\nx\n```\n", "<!-- output -->\n```text\nx\n```\n"]
)
def test_a_mark_that_is_none_is_refused(tmp_path, monkeypatch, text):
    with pytest.raises(ValueError, match=r"page\.md:[12]: "):
        make(tmp_path, monkeypatch, text)


def test_marks_say_why(tmp_path, monkeypatch):
    fly = "<!-- needs: a GPU -->\n```bash\nroofmark fly\n```\n"
    true = "<!-- slow: 40 s -->\n```bash\ntrue\n```\n"
    first, second = make(tmp_path, monkeypatch, f"{fly}\n{true}")
    assert first.skipped(slow=True) == "needs a GPU"
    assert second.skipped().startswith("slow: 40 s; python tools/")
    assert second.skipped(slow=True) == ""
    with pytest.raises(Exception, match="No such command"):
        parse(next(iter(snippets.command_lines(tmp_path / "page.md"))))


def test_options_in_brackets_are_options():
    line = 'roofmark log A [B ...] [--json]  # and "a comment"'
    assert snippets.words_of(line) == ["log", "A", "B", "--json"]
    assert re.match("log", parse("roofmark log docs --json | tee x"))
