"""Degenerate outputs: which of a leg's outputs no time may be claimed for, and how many.

In: `Answers` (or one text, one list of token ids). Out: `Degenerate`, with each output's findings.
The rules are RM601 to RM607 (analysis/rules/output_*.py), on characters and on token ids; what was
not kept cannot be asked, and that is counted, because nothing looked at is no clean bill.
"""

from roofmark.analysis.rules import all_rules
from roofmark.analysis.rules.output import Output
from roofmark.answers import Answer, Answers
from roofmark.records import Missing, Record


class OutputFinding(Record):
    """One rule that fired on one output."""

    code: str
    title: str
    message: str


class BadOutput(Record):
    """One output that is degenerate. begins: its first characters, "" where no text was kept."""

    id: str
    outcome: str
    begins: str
    findings: tuple[OutputFinding, ...]


class Degenerate(Record):
    """One leg's outputs. looked: outputs that a rule could be asked of. unseen: those kept nowhere.

    counts: code -> outputs on which it fired. tails: only the ends of texts were there.
    """

    label: str
    looked: int
    unseen: int
    bad: tuple[BadOutput, ...]
    counts: dict[str, int]
    tails: bool

    @property
    def share(self) -> float | Missing:
        """The part of what was looked at that is degenerate."""
        if not self.looked:
            return Missing(reason="no output was kept")
        return len(self.bad) / self.looked


# Chosen: enough to see what it is.
_SHOWN = 60


def look_at(output: Output) -> tuple[OutputFinding, ...]:
    """Return every rule that fires on one output."""
    found: list[OutputFinding] = []
    for rule in all_rules():
        answer = rule.ask(output=output) if rule.per == "output" else ""
        if isinstance(answer, str) and answer:
            found.append(OutputFinding(code=rule.code, title=rule.title, message=answer))
    return tuple(found)


def find_degenerate(leg: Answers) -> Degenerate:
    """Return which outputs of a leg are degenerate; what was not answered has no output."""
    bad: list[BadOutput] = []
    counts: dict[str, int] = {}
    kept = [each for each in leg.answers if _kept(each)]
    for each in kept:
        findings = look_at(Output(text=each.text, tokens=each.tokens))
        if findings:
            begins = "" if isinstance(each.text, Missing) else each.text[:_SHOWN]
            bad.append(
                BadOutput(id=each.id, outcome=each.outcome, begins=begins, findings=findings)
            )
        for finding in findings:
            counts[finding.code] = counts.get(finding.code, 0) + 1
    return Degenerate(
        label=leg.label,
        looked=len(kept),
        unseen=len(leg.answers) - len(kept),
        bad=tuple(bad),
        counts=dict(sorted(counts.items())),
        tails=not leg.whole,
    )


def _kept(each: Answer) -> bool:
    return not (isinstance(each.text, Missing) and isinstance(each.tokens, Missing))
