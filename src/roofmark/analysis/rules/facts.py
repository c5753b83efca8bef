"""Facts: what rules may ask, each a function of a case and a place; a rule's parameters name them.

In: a case, a place (workload, solution; "" where it is about all). Out: a plain value that is easy
to write down in a rule's example, or `Missing` with the reason.
"""

from collections.abc import Callable
from typing import Any

from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case

Fact = Callable[[Case, Place], Any]
FACTS: dict[str, Fact] = {}


def fact(collect: Fact) -> Fact:
    """Register a fact under its function's name."""
    FACTS[collect.__name__] = collect
    return collect
