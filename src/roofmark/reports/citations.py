"""Citations as text: a line for each number, what became of it, and what the evidence has.

In: `Citations`. Out: text for a terminal. A true value is shown in the unit of the claim, so that
both can be compared at a glance.
"""

from collections.abc import Iterator

from roofmark.analysis.cite.match import show_derived
from roofmark.analysis.cite.records import Citation, Citations, Claim, Derived
from roofmark.records import Missing
from roofmark.reports.wording import NOTHING, lines_text, one_line, shorten

# Chosen: a claim with its unit; a file's name; a kernel's symbol in which the telling part stands.
_CLAIM, _NAME = 24, 72
# Chosen: so many digits more than the text printed show by how much it is off.
_MORE_DIGITS = 1
# Chosen: enough to see what kind of files they are; JSON lists all.
_UNREAD = 8


def citations_text(citations: Citations, *, every: bool = True) -> str:
    """Return the table; without `every` only what is contradicted."""
    shown = [c for c in citations.citations if every or c.status == "contradicted"]
    lines = [line for each in shown for line in _lines(each)]
    return lines_text([*lines, *_summary(citations)])


def _lines(citation: Citation) -> Iterator[str]:
    claim = citation.claim
    status = f"{citation.status} ({citation.fault})" if citation.fault else citation.status
    text = shorten(one_line(_printed(claim)), _CLAIM)
    yield f"{claim.line:>5}  {text:<{_CLAIM}}  {status:<27}  {_truth(citation)}".rstrip()
    if citation.note:
        yield " " * 33 + one_line(citation.note)


def _printed(claim: Claim) -> str:
    """Return the claim with the unit that its column's heading gave."""
    if claim.unit and not claim.text.endswith(claim.unit) and claim.text[-1:].isdigit():
        return f"{claim.text} [{claim.unit}]"
    return claim.text


def _truth(citation: Citation) -> str:
    truth = citation.truth
    if isinstance(truth, Missing):
        return NOTHING
    label = one_line(truth.label)
    if len(label) > _NAME:
        label = f"{label[: _NAME // 2]}…{label[-_NAME // 2 + 1 :]}"
    off = citation.fault == "wrong unit"
    shown = show_derived(truth) if off else _in_unit_of(citation.claim, truth)
    return f"{shown}: {truth.estimator}, {label}, {truth.place}"


def _in_unit_of(claim: Claim, truth: Derived) -> str:
    if claim.dimension != truth.dimension or not claim.unit:
        return show_derived(truth)
    value = truth.value / claim.scales[0]
    unit = claim.unit if claim.unit in ("x", "×") else f" {claim.unit}"
    decimals = _decimals(claim) + _MORE_DIGITS
    return f"{value:.{decimals}f}{unit}"


def _decimals(claim: Claim) -> int:
    """Return how many decimals the text printed."""
    digits = claim.text.partition(".")[2]
    return len(digits) - len(digits.lstrip("0123456789"))


def _summary(citations: Citations) -> Iterator[str]:
    counts = [
        f"{citations.count(status)} {status}"
        for status in ("supported", "contradicted", "not derivable")
    ]
    read, unread = len(citations.read), len(citations.unread)
    yield f"{', '.join(counts)}; evidence from {read} places, {unread} unread"
    for note in citations.notes:
        yield f"note: {one_line(note)}"
    for each in citations.unread[:_UNREAD]:
        yield f"unread: {one_line(each.name)}: {shorten(one_line(each.reason), 100)}"
    if unread > _UNREAD:
        yield f"unread: {unread - _UNREAD} more; --json lists them"
