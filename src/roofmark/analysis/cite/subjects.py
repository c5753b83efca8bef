"""Subjects: the things that evidence has values of, found by their words and by their values.

In: subjects (a column of samples, a kernel, a counter, a figure, a cell of a verdict), each with
its words and values. Out: an `Index` that finds subjects by a word and values by an interval, so
that a text with hundreds of numbers needs no walk over all of them.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from roofmark.analysis.cite.measures import BASE
from roofmark.analysis.cite.records import Derived
from roofmark.analysis.cite.words import keys, parts_of_chip, tokens
from roofmark.analysis.verdict import Verdict
from roofmark.foreign import Imported

Sort = Literal["samples", "kernel", "table", "metric", "figure", "cell"]
# Chosen: what one name may find; a word that names more names nothing.
MOST_NAMED = 2000
WITHOUT = " without "
"""Stands in the estimator of a value that leaves samples out."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read from one place. name: a file's last folders and name, or a bundle's."""

    name: str
    content: Imported | Verdict


class Value(NamedTuple):
    """One value in its dimension's base unit; low and high differ for an estimate."""

    estimator: str
    dimension: str
    value: float
    low: float
    high: float


def exact(estimator: str, dimension: str, value: float) -> Value:
    """Return a value without an interval."""
    return Value(estimator, dimension, value, value, value)


@dataclass(frozen=True, eq=False)
class Subject:
    """One thing and its values.

    name: what it is inside its file. aliases: other names of it. place: the file. context: path
    and settings, which tell it from its like in other files. kind: estimators of "samples" and
    "kernel" can be confused with each other; those of the others are part of the name.
    """

    sort: Sort
    name: str
    place: str
    context: str
    values: tuple[Value, ...]
    aliases: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[frozenset[str], ...]:
        """The words of its name and of each alias."""
        return tuple(words for each in (self.name, *self.aliases) if (words := tokens(each)))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that may name it."""
        return frozenset().union(*self.names)

    @cached_property
    def context_words(self) -> frozenset[str]:
        """The words of its file and settings."""
        return tokens(self.context)

    @cached_property
    def keys(self) -> dict[str, frozenset[str]]:
        """Names with numbers of its file and settings; of its own name where that is a setting."""
        named = self.sort in ("figure", "cell", "table")
        return keys(f"{self.context} ; {self.name}" if named else self.context)

    @cached_property
    def parts(self) -> frozenset[str]:
        """The parts of a chip that a counter is about."""
        return parts_of_chip(" ".join((self.name, *self.aliases)))

    def of(self, dimension: str) -> tuple[Value, ...]:
        """Return its values of a dimension."""
        return tuple(each for each in self.values if each.dimension == dimension)

    def derived(self, value: Value) -> Derived:
        """Return a value as it is reported."""
        return Derived(
            value=value.value,
            unit=BASE.get(value.dimension, ""),
            dimension=value.dimension,
            label=self.name,
            estimator=value.estimator,
            place=self.place,
        )


class Hit(NamedTuple):
    """A value and whose it is."""

    subject: Subject
    value: Value


@dataclass
class Index:
    """Subjects by word and by identifier, values by dimension and size."""

    subjects: list[Subject]
    _by_word: dict[str, list[int]] = field(default_factory=dict)
    _sorted: dict[str, tuple[list[float], list[Hit]]] = field(default_factory=dict)
    _named: dict[str, frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort everything once."""
        hits: dict[str, list[Hit]] = {}
        for number, subject in enumerate(self.subjects):
            for word in subject.words | subject.context_words:
                self._by_word.setdefault(word, []).append(number)
            for value in subject.values:
                hits.setdefault(value.dimension, []).append(Hit(subject, value))
        for dimension, found in hits.items():
            found.sort(key=lambda hit: hit.value.value)
            self._sorted[dimension] = ([hit.value.value for hit in found], found)

    @cached_property
    def alike(self) -> dict[tuple[str, str], list[Subject]]:
        """Subjects of one name in several places: what can be compared."""
        found: dict[tuple[str, str], list[Subject]] = {}
        for subject in self.subjects:
            found.setdefault((subject.sort, subject.name), []).append(subject)
        return found

    def with_word(self, word: str) -> list[int]:
        """Return the numbers of the subjects that a word may name."""
        return self._by_word.get(word, [])

    def with_identifier(self, name: str) -> frozenset[int]:
        """Return the numbers of the subjects whose name holds an identifier, letter by letter."""
        if name not in self._named:
            found = [i for i, each in enumerate(self.subjects) if name in each.name]
            self._named[name] = frozenset(found if len(found) <= MOST_NAMED else ())
        return self._named[name]

    def between(self, dimension: str, low: float, high: float) -> list[Hit]:
        """Return the values of a dimension from `low` to `high`, at most `MOST_NAMED`."""
        sizes, hits = self._sorted.get(dimension, ([], []))
        first, last = bisect_left(sizes, low), bisect_right(sizes, high)
        return hits[first : min(last, first + MOST_NAMED)]

    def of_part(self, part: str, dimension: str) -> bool:
        """Whether any counter of a part of the chip has a value of a dimension."""
        return any(part in s.parts and s.of(dimension) for s in self.subjects if s.parts)
