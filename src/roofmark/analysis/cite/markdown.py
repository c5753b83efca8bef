"""Markdown, cut into the pieces in which numbers are claims: sentences and cells of tables.

In: a text. Out: `Piece`s with their places and the words that name what stands in them. Code
fences, comments, front matter, dates, versions, hashes, paths, links and identifiers are blanked
(by spaces, so that places stay), since a number in them claims nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from roofmark.analysis.cite.measures import unit_after, unit_of_heading

# Chosen: longer lines are data, not prose; what is beyond is not looked at.
LONGEST_LINE = 20_000
# Chosen: a paragraph of more is cut, so that no search over a sentence grows with the file.
LONGEST_PARAGRAPH = 40_000
# Chosen: a kernel's symbol is below this; a longer cell is prose.
_LONGEST_NAME = 300

_FENCE = re.compile(r"^\s{0,3}(?:>\s?)*(?:[-*+]\s+)?(`{3,}|~{3,})")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*)")
_SEPARATOR = re.compile(r"^\s*\|?(?:\s*:?-{1,100}:?\s*\|)+(?:\s*:?-{1,100}:?\s*)?$")
_BEGINS = re.compile(r"^\s*(?:[-*+]\s|\d{1,3}[.)]\s|>)")
_SENTENCE = re.compile(r"(?<=[.!?;])[\s*_)\"]+(?=[^\sa-z])")
_CELL = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"(`+)([^`]{1,2000}?)\1(?!`)")
_QUANTITY = re.compile(r"\d[\d.,]*")
# Every repetition before a choice has a bound: a line that fits none must not be tried n^2 times.
_IGNORED = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (r"<!--.{0,5000}?-->", re.DOTALL),
        (r"\]\([^()\s]{0,2000}\)", 0),  # targets of links
        (r"\[\^?\d{1,4}\](?!\()", 0),  # references and footnotes
        (r"</?[A-Za-z][^<>]{0,200}>", 0),
        (r"\b[a-z][a-z0-9+.-]{1,20}://[^\s)>\]]+", re.IGNORECASE),
        (r"\b(?:19|20)\d\d[-/](?:0?[1-9]|1[0-2])(?:[-/][0-3]?\d)?(?:[T ]\d\d:\d\d\S*)?\b", 0),
        (r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b", 0),
        (r"\b\d{1,2}\.? ?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{4}\b", 0),
        (r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{1,2},? \d{4}\b", 0),
        (r"\bv?\d+(?:\.\d+){2,}[\w.+-]*", 0),
        (r"\bv\d+(?:\.\d+)*\b", 0),
        (
            r"\b(?:cuda|torch|pytorch|triton|python|version|driver|release|gcc|clang|nvcc|ncu|nsys"
            r"|cutlass|vllm|ptx|cudnn|ubuntu|compute capability) v?\d+(?:\.\d+)*\b",
            re.IGNORECASE,
        ),
        (r"\b(?=[0-9a-f]{0,64}[a-f])(?=[0-9a-f]{0,64}\d)[0-9a-f]{7,64}\b", 0),
        (r"(?:#|\b(?:PR|GH|line|lines|L|§|step|figure|table|section|chapter|part) ?#?)\d+\b", re.I),
        (r"(?<![\w.@-])(?=[\w.@-]{0,99}[A-Za-z_])[\w.@-]{1,99}(?:/[\w.@*{}-]+)+", 0),
        (r"(?<!\w)(?:~|\.{1,2})?(?:/(?=[\w.@*{}-]{0,99}[A-Za-z_])[\w.@*{}-]{1,99}){2,}", 0),
        (
            r"\b[\w-]{1,99}\.(?:csv|json|md|py|cu|cpp|txt|log|sh|sqlite|gz|ncu-rep|nsys-rep|html)\b",
            0,
        ),
        (r":\d+\b(?=[\s,;)])", 0),
        (r"--?[A-Za-z][\w-]{0,99}[ =][\w.:-]+", 0),  # options of commands
        (r"\b[A-Za-z_]\w{0,99}=[-+]?[\d.]+\b", 0),  # settings
        (r"\$ ?\d[\d,.]*", 0),
    )
)
_UNITS_WITH_SLASH = re.compile(r"[A-Za-z]+/(?:s|sec|second|token|tok)\.?")


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence or a cell.

    text: as written. masked: the same with what claims nothing blanked. starts: for each line of
    it, (offset in the piece, line, column). names: the headings and cells that name it. unit: what
    a cell's column is in. cell: whether it is one.
    """

    text: str
    masked: str
    starts: tuple[tuple[int, int, int], ...]
    names: str
    heading: str
    section: str
    unit: str
    cell: bool

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset."""
        begin, line, column = next(
            start for start in reversed(self.starts) if start[0] <= max(offset, 0)
        )
        return line, column + offset - begin


def pieces(text: str) -> Iterator[Piece]:
    """Yield what may hold claims, in order."""
    section, paragraph = "", _Paragraph()
    lines = _blank_blocks(text)
    at = 0
    while at < len(lines):
        line = lines[at]
        if at + 1 < len(lines) and "|" in line and _SEPARATOR.match(lines[at + 1]):
            yield from paragraph.sentences(section)
            end = _end_of_table(lines, at)
            yield from _table(lines, at, end, section)
            at = end
            continue
        heading = _HEADING.match(line)
        if heading or not line.strip() or _BEGINS.match(line) or paragraph.full:
            yield from paragraph.sentences(section)
        if heading:
            section = heading[2].strip(" #*")
            line = _blank_numbering(line)
        if line.strip():
            paragraph.add(line, at + 1)
        if heading:
            yield from paragraph.sentences(section)
        at += 1
    yield from paragraph.sentences(section)


class _Paragraph:
    """Lines that belong together."""

    def __init__(self) -> None:
        """Begin without a line."""
        self._lines: list[tuple[int, str]] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether it has to be cut here."""
        return self._size > LONGEST_PARAGRAPH

    def add(self, line: str, number: int) -> None:
        """Take one more line."""
        self._lines.append((number, line))
        self._size += len(line)

    def sentences(self, section: str) -> Iterator[Piece]:
        """Yield its sentences and begin anew."""
        text = "\n".join(line for _, line in self._lines)
        starts: list[tuple[int, int]] = []
        offset = 0
        for number, line in self._lines:
            starts.append((offset, number))
            offset += len(line) + 1
        self._lines, self._size = [], 0
        masked = mask(_blank_marker(text))
        begin = 0
        for cut in [*(found.end() for found in _SENTENCE.finditer(text)), len(text)]:
            if text[begin:cut].strip():
                yield _sentence(text, masked, starts, (begin, cut), section)
            begin = cut


def _sentence(
    text: str, masked: str, starts: list[tuple[int, int]], cut: tuple[int, int], section: str
) -> Piece:
    begin, end = cut
    first = max(index for index, start in enumerate(starts) if start[0] <= begin)
    inside = [(0, starts[first][1], begin - starts[first][0] + 1)]
    inside += [(at - begin, number, 1) for at, number in starts[first + 1 :] if at < end]
    return Piece(text[begin:end], masked[begin:end], tuple(inside), "", "", section, "", False)


def mask(text: str) -> str:
    """Return the text with what claims nothing blanked, at the same length.

    >>> mask("at 2026-05-03 `ncu 1` took `14 us`")
    'at                    took  14 us '
    """
    text = _CODE.sub(_quoted, text).replace("`", " ").replace("*", " ")
    for pattern in _IGNORED:
        text = pattern.sub(_blank, text)
    return text


def _quoted(found: re.Match[str]) -> str:
    """Code counts where it holds a number with a unit, or nothing but a number."""
    inner = found[2]
    if any(unit_after(inner, n.end())[0] not in ("", "?") for n in _QUANTITY.finditer(inner)):
        return found[0]
    return _blank(found)


def _blank(found: re.Match[str]) -> str:
    """Keep units that look like paths ("GB/s"), and line ends."""
    if _UNITS_WITH_SLASH.fullmatch(found[0]):
        return found[0]
    return re.sub(r"[^\n]", " ", found[0])


def _blank_marker(text: str) -> str:
    return re.sub(r"^\s*(?:>\s*)*(?:\d{1,4}[.)])(?=\s)", _blank, text)


def _blank_numbering(line: str) -> str:
    return re.sub(r"^(\s*#{1,6}\s+)((?:\d+[.):]?)+)(?=\s)", lambda m: " " * len(m[0]), line)


def _blank_blocks(text: str) -> list[str]:
    """Return the lines, those of code fences, front matter and comments emptied."""
    text = re.sub(r"<!--.*?-->", _blank, text, flags=re.DOTALL) if "-->" in text else text
    lines = [line[:LONGEST_LINE] for line in text.split("\n")]
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:200]):
        end = next(i for i, line in enumerate(lines[1:200], 1) if line.strip() == "---")
        lines[: end + 1] = [""] * (end + 1)
    fence = ""
    for at, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence:
            lines[at] = ""
            closes = found and found[1].startswith(fence)
            fence = "" if closes else fence
        elif found:
            fence, lines[at] = found[1], ""
    return lines


def _end_of_table(lines: list[str], at: int) -> int:
    end = at + 2
    while end < len(lines) and "|" in lines[end] and lines[end].strip():
        end += 1
    return end


def _cells(line: str) -> list[tuple[int, str]]:
    """Return each cell's column (from 0) and text."""
    found: list[tuple[int, str]] = []
    begin = 0
    for cut in [*(bar.start() for bar in _CELL.finditer(line)), len(line)]:
        inner = line[begin:cut]
        found.append((begin + len(inner) - len(inner.lstrip()), inner.strip()))
        begin = cut + 1
    if found and not found[0][1] and line.lstrip().startswith("|"):
        found = found[1:]
    if found and not found[-1][1] and line.rstrip().endswith("|"):
        found = found[:-1]
    return found


def _table(lines: list[str], at: int, end: int, section: str) -> Iterator[Piece]:
    headings = [text for _, text in _cells(lines[at])]
    units = [unit_of_heading(heading) for heading in headings]
    for number in range(at + 2, end):
        row = _cells(lines[number])
        names = _row_names(headings, units, row)
        for index, (column, text) in enumerate(row):
            heading = headings[index] if index < len(headings) else ""
            unit = units[index] if index < len(units) else ""
            # The first column names its row; a number in it claims something only with a unit.
            yield Piece(
                text,
                mask(text),
                ((0, number + 1, column + 1),),
                names,
                heading,
                section,
                unit if index else "",
                bool(index),
            )


def _row_names(headings: list[str], units: list[str], row: list[tuple[int, str]]) -> str:
    """Return what names a row: its texts, and its whole numbers as `heading=number`."""
    found: list[str] = []
    for index, (_, text) in enumerate(row[:40]):
        bare = text.strip("*`_ ")
        if bare.isdecimal() and index < len(headings):
            heading = headings[index].strip("*`_ ")
            # A heading with a number of its own names a column of values, not a setting.
            if not units[index] and len(bare) <= 6 and not re.search(r"\d", heading):
                found.append(f"{heading}={bare}")
        elif re.search("[A-Za-zα-ω]", bare):
            found.append(text[:_LONGEST_NAME])
    return " ; ".join(found)
