"""Text from outside, made safe for a terminal and for a CI system's log.

In: any string, a hostile one too. Out: the same without characters that a terminal obeys or does
not show, and without lines that a CI system takes for its commands: an escape sequence in a log
could repaint the verdict above it, a `::set-output` in a name could change what a job does next.
"""

import re

# Letters and marks that take no room: they hide text, and two names that differ by one look alike.
# Source: Unicode 15, the property Default_Ignorable_Code_Point, where the category is not Other.
_HIDDEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\U000e0100-\U000e01ef]")
# They choose how the character before them is drawn, such as an emoji in colour.
_VARIANTS = re.compile("[\ufe00-\ufe0f]")
_MARK = "\N{REPLACEMENT CHARACTER}"
# Source: GitHub Actions takes `::name` at the beginning of a line and `##[name` anywhere for a
# command, Azure Pipelines `##vso[`, TeamCity `##teamcity[`.
_LINE_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_COMMAND = re.compile(r"#(?=#\w*\[)")


def plain(text: str) -> str:
    """Return `text` with a visible mark for each character that shows nothing or does something."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else _shown(each) for each in text)
    return quiet(_VARIANTS.sub("", _HIDDEN.sub(_MARK, text)))


def plain_line(text: str) -> str:
    """Return `plain` on one line: a second one could say anything."""
    return plain(text).replace("\n", _MARK)


def file_name(path: object) -> str:
    """Return a path as text that can be stored: bytes of its names that are no UTF-8 are shown."""
    return str(path).encode(errors="backslashreplace").decode()


def quiet(text: str) -> str:
    """Return `text` with a blank in each thing that a CI system would take for a command."""
    return _COMMAND.sub("# ", _LINE_COMMAND.sub(r"\1: ", text))


def quiet_json(text: str) -> str:
    """Return JSON text, equal as data, that holds no command of a CI system."""
    # In JSON this sign stands in strings alone; at the beginning of a line no string begins.
    return text.replace("##", "#\\u0023")


def _shown(each: str) -> str:
    if each in "\n\t":
        return each
    # A blank of another width is a blank; what begins a new line, or a control, is not.
    is_blank = each.isspace() and each >= "\xa0" and each not in "\u2028\u2029"
    return " " if is_blank else _MARK
