"""What `doctor` found, as data: sections of lines, each with why it matters and how to mend it.

In: nothing; these are shapes. Out: `Examination`, which the CLI shows.
"""

from typing import Literal

from roofmark.records import Record

State = Literal["ok", "warning", "missing"]


class Line(Record):
    """One thing that was looked at.

    found: what is there, or the reason why not. why: what depends on it. mend: what to do.
    skips: what cannot be done here unless this is "ok"; "" if everything can.
    """

    state: State
    name: str
    found: str
    why: str = ""
    mend: str = ""
    skips: str = ""


class Section(Record):
    """Lines that belong together."""

    title: str
    lines: tuple[Line, ...]


class Examination(Record):
    """Everything that was looked at; skipped: what will be left out on this machine, and why."""

    sections: tuple[Section, ...]
    skipped: tuple[str, ...]
