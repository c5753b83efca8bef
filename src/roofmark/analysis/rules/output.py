"""Output: what a model wrote, as the rules about degenerate outputs ask for it.

In: text, token ids, or both. Out: an `Output` with what rules share: the visible characters, the
longest run of one thing, the share of what stands more than once. Text is never split on white
space alone: a run of "!!!!" has none.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.records import Missing

# Source: the habit of the field: 3-grams, judged from 12 tokens on.
GRAM = 3
FEWEST = 12


@dataclass(frozen=True)
class Output:
    """One output. text, tokens: Missing where they were not kept; ids are whole numbers."""

    text: str | Missing = field(default_factory=lambda: Missing(reason="no text was kept"))
    tokens: tuple[int, ...] | Missing = field(
        default_factory=lambda: Missing(reason="no token ids were kept")
    )

    @cached_property
    def written(self) -> str:
        """The text, "" where none was kept."""
        return "" if isinstance(self.text, Missing) else self.text

    @cached_property
    def visible(self) -> str:
        """The text without white space."""
        return "".join(self.written.split())


def longest_run(items: Iterable[Hashable]) -> tuple[Any, int]:
    """Return the item that stands most often in a row, and how often.

    >>> longest_run("aabbbc")
    ('b', 3)
    """
    runs = ((item, sum(1 for _ in same)) for item, same in groupby(items))
    return max(runs, key=lambda run: run[1], default=(None, 0))


def repeated_share(items: Sequence[Hashable]) -> float:
    """Return which part of the items stood before: 0 where all differ.

    >>> repeated_share("abab")
    0.5
    """
    return 1 - len(set(items)) / len(items) if items else 0.0


def grams(items: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return every three neighbours."""
    return list(zip(*(items[i:] for i in range(GRAM)), strict=False))


@fact
def output(case: Case, place: Place) -> Missing:
    """One output of a model; kernels' studies have none."""
    return Missing(reason="a study of kernels writes no text")
