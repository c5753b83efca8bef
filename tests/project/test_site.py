"""Links of the pages lead somewhere, files and anchors, without the network; the site builds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|^    .*$|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def pages():
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "studies").rglob("*.md")]
    return sorted(found)


def anchors(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)).lower()
        yield re.sub(r"[\s]", "-", plain.strip())


def broken(page):
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        link = target[0] or target[1]
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in set(anchors(there)):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    assert list(broken(page)) == []


@pytest.mark.parametrize("link", ["none.md", "page.md#none", "#none", "no/image.png"])
def test_a_broken_link_is_noticed(tmp_path, link):
    page = tmp_path / "page.md"
    page.write_text(f"# A title\n\n[a](page.md#a-title) [b](https://example.com) [c]({link})\n")
    assert [each.partition(":")[0] for each in broken(page)] == [link]


def test_pages_of_the_site_link_within_it():
    for page in (ROOT / "docs").rglob("*.md"):
        for found in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
            link = (found[0] or found[1]).partition("#")[0]
            if link and not re.match(r"\w+:", link):
                assert (page.parent / link).resolve().is_relative_to(ROOT / "docs"), (page, link)


def test_the_site_builds_strictly_and_asks_nobody(tmp_path):
    pytest.importorskip("material")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?://[^"]*)"', home)
    assert loaded == []
