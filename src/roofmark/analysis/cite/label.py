"""Labels: how well the words around a number name a thing of the evidence.

In: a claim and a subject. Out: a `Bond`: whether they can be about the same thing, and how surely.
A name with another number ("wo_split=8" against wo_split_1) rules a subject out; an identifier,
or nearly all words of a name, names it surely; any other common word names it loosely.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from roofmark.analysis.cite.records import Claim
from roofmark.analysis.cite.subjects import MOST_NAMED, WITHOUT, Index, Sort, Subject, Value
from roofmark.analysis.cite.words import estimators, identifiers, keys, parts_of_chip, tokens

# Chosen: counters and figures have names of a few words, each of which tells it from another; a
# column of samples or a kernel is named in passing.
_SURE: dict[Sort, float] = {
    "samples": 0.6,
    "kernel": 0.75,
    "table": 1.0,
    "metric": 1.0,
    "figure": 1.0,
    "cell": 1.0,
}


class Bond(NamedTuple):
    """How a text names a subject.

    sure: it does. touches: it shares a word with its name. loose: at least with its file.
    score: for choosing the best.
    """

    sure: bool
    touches: bool
    loose: bool
    score: float


NONE = Bond(False, False, False, 0.0)


class Says(NamedTuple):
    """What a text says of all its numbers.

    without_warm_up: that warm-up does not count. estimators: those that it names anywhere.
    """

    without_warm_up: bool = False
    estimators: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Label:
    """What a claim's words say, and its whole text."""

    claim: Claim
    text: Says

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that name it."""
        return tokens(self.claim.near)

    @cached_property
    def far(self) -> frozenset[str]:
        """The words of the heading above it."""
        return tokens(self.claim.section)

    @cached_property
    def names(self) -> frozenset[str]:
        """The identifiers that name it."""
        return identifiers(self.claim.near)

    @cached_property
    def keys(self) -> dict[str, frozenset[str]]:
        """Names with a number."""
        return keys(self.claim.near)

    @cached_property
    def parts(self) -> frozenset[str]:
        """The parts of a chip that stand close to it."""
        return parts_of_chip(self.claim.close)

    @cached_property
    def estimators(self) -> frozenset[str]:
        """The estimators that stand close to it; a column's heading comes before its row."""
        heading, bar, _ = self.claim.close.partition(" | ")
        return (estimators(heading) if bar else frozenset()) or estimators(self.claim.close)

    def counts_rightly(self, subject: Subject, value: Value) -> bool:
        """Whether a value leaves the warm-up out, where the text says that it does."""
        if not self.text.without_warm_up or subject.sort != "samples" or WITHOUT in value.estimator:
            return True
        return not any(WITHOUT in each.estimator for each in subject.values)

    def excludes(self, subject: Subject) -> bool:
        """Whether a name has one number here and another one there."""
        theirs = subject.keys
        return any(
            name in theirs and theirs[name].isdisjoint(numbers)
            for name, numbers in self.keys.items()
        )

    def shares_key(self, subject: Subject) -> bool:
        """Whether a name has the same number here and there."""
        theirs = subject.keys
        return any(
            name in theirs and not theirs[name].isdisjoint(numbers)
            for name, numbers in self.keys.items()
        )

    def bond(self, subject: Subject) -> Bond:
        """Return how well this names a subject."""
        if self.excludes(subject):
            return NONE
        called = any(name in subject.name for name in self.names)
        covered = max((len(n & self.words) / len(n) for n in subject.names), default=0.0)
        context = len(subject.context_words & self.words)
        key = self.shares_key(subject)
        far = len((subject.words | subject.context_words) & self.far)
        loose = called or key or covered > 0 or context > 0
        score = 3.0 * called + 2.0 * covered + 2.0 * key + 0.5 * context + 0.1 * far
        sure = called or covered >= _SURE[subject.sort]
        return Bond(sure, called or covered > 0, loose, score)

    def candidates(self, index: Index) -> list[tuple[Bond, Subject]]:
        """Return the subjects that this names at all, the best first."""
        numbers: set[int] = set()
        for word in self.words:
            found = index.with_word(word)
            numbers.update(found if len(found) <= MOST_NAMED else ())
        for name in self.names:
            numbers |= index.with_identifier(name)
        bonds = ((self.bond(index.subjects[n]), n) for n in sorted(numbers))
        found = [(bond, n) for bond, n in bonds if bond.loose]
        found.sort(key=lambda each: (-each[0].score, each[1]))
        return [(bond, index.subjects[n]) for bond, n in found]

    def covered_by(self, subject: Subject) -> bool:
        """Whether a subject answers to everything that names a cell's row and column.

        A row of another run ("lower8", "split=8") is not contradicted by this one.
        """
        _, bar, names = self.claim.near.partition(" | ")
        if not bar:
            return True
        if self.keys and not self.shares_key(subject):
            return False
        words = subject.words | subject.context_words
        cells = [
            cell
            for cell in names.split(" ; ")
            if "=" not in cell and cell.strip("*`_ ")[:1].isalpha()
        ]
        return all(tokens(cell) & words for cell in cells if tokens(cell))

    def tells_apart(self, subject: Subject, index: Index) -> bool:
        """Whether this names a subject's file too, where others hold a thing of that name."""
        alike = index.alike.get((subject.sort, subject.name), [])
        if len(alike) < 2 or self.shares_key(subject):
            return True
        common = frozenset[str].intersection(*(each.context_words for each in alike))
        own = subject.context_words - common
        return not own or bool(own & self.words)
