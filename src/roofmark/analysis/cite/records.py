"""What citing gives: the numbers of a text, each with what the evidence says about it.

In: nothing; these are shapes. Out: `Citations`. A claim keeps the interval that its printed digits
stand for; an evidence value keeps the estimator and the place that it comes from.
"""

from typing import Literal

from roofmark.records import Missing, Record

Status = Literal["supported", "contradicted", "not derivable"]
Fault = Literal["", "wrong value", "wrong unit", "wrong label"]
Relation = Literal["=", "~", "<=", ">="]


class Claim(Record):
    """One number of a text.

    value, low, high: in `unit`, as printed; low to high is what the printed digits stand for.
    dimension: "time", "ratio", "percent", ..., "number" for what has no unit.
    scales: what one of the printed unit may be in the dimension's base unit (KB is 1000 or 1024).
    digits: significant digits printed. line, column: from 1. near: what names it (the clause, or
    the headings and cells of its table). close: its nearest words. section: the heading above.
    of: the whole of a fraction ("47/50" has 50), else 0. computed: it stands after "=".
    """

    text: str
    value: float
    low: float
    high: float
    unit: str
    dimension: str
    scales: tuple[float, ...]
    digits: int
    line: int
    column: int
    near: str
    close: str
    section: str
    relation: Relation
    of: float
    computed: bool


class Derived(Record, tag="derived"):
    """One value that the evidence gives.

    value: in the base unit of `dimension`. label: what it is of. estimator: how it was made.
    place: the file, or the folder of the bundle.
    """

    value: float
    unit: str
    dimension: str
    label: str
    estimator: str
    place: str


class Citation(Record):
    """One claim and what became of it. truth: the value that supports it, or the nearest one."""

    claim: Claim
    status: Status
    fault: Fault
    truth: Derived | Missing
    note: str


class Unread(Record):
    """A file among the evidence that gave nothing, and why."""

    name: str
    reason: str


class Citations(Record):
    """A text, checked. read: evidence that gave values. notes: what a reader has to know."""

    text: str
    citations: tuple[Citation, ...]
    read: tuple[str, ...]
    unread: tuple[Unread, ...]
    notes: tuple[str, ...]

    def count(self, status: Status) -> int:
        """Return how many claims have this status."""
        return sum(each.status == status for each in self.citations)
