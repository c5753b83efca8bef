"""Citing: are the numbers of a text what the evidence gives?

In: Markdown, and evidence that was read (imports of other tools, verdicts of bundles). Out:
`Citations`. `claims` finds numbers with units and names, `values` derives what the evidence gives,
`match` brings both together; a claim counts as contradicted only where its label is clear.
"""

from collections.abc import Sequence

from roofmark.analysis.cite.claims import (
    MOST_CLAIMS,
    estimators_of_text,
    find_claims,
    leaves_warm_up_out,
)
from roofmark.analysis.cite.label import Says
from roofmark.analysis.cite.match import match_claim
from roofmark.analysis.cite.records import Citations, Unread
from roofmark.analysis.cite.subjects import Evidence
from roofmark.analysis.cite.values import collect_evidence


def check_text(
    name: str, text: str, evidence: Sequence[Evidence], *, unread: tuple[Unread, ...] = ()
) -> Citations:
    """Return every claim of `text` with what the evidence says about it."""
    claims = find_claims(text)
    says = Says(leaves_warm_up_out(text), estimators_of_text(text))
    index, notes = collect_evidence(evidence)
    if len(claims) == MOST_CLAIMS:
        notes = (*notes, f"The text has more than {MOST_CLAIMS} numbers; the rest is unchecked.")
    return Citations(
        text=name,
        citations=tuple(match_claim(claim, index, says) for claim in claims),
        read=tuple(dict.fromkeys(each.name for each in evidence)),
        unread=unread,
        notes=notes,
    )
