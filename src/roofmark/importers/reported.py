"""Reported: what importers of other benchmarks share: plain text, honest numbers, and the reasons.

In: values as a foreign file spells them. Out: text that is safe to keep, numbers that are finite or
Missing, and a `Gathered` that holds the figures it could make and says why it could not make the
others.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import (
    Complete,
    Content,
    Figure,
    Figures,
    Imported,
    Partial,
    Samples,
    Series,
)
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

# Chosen: no honest label is longer; a method or a note has its own, larger bound.
LONGEST_LABEL = 300
# Chosen: two pages of prose, more than any method that was met.
LONGEST_SETTING = 4000
# Chosen: enough to see a pattern; a file with more is told in one sentence.
MOST_REASONS = 50
# Chosen: tools write about forty settings; far above that a file is no list of settings.
MOST_SETTINGS = 400
# Chosen: a thousand times what a benchmark writes, and small rows take sixty times their text.
MOST_ROWS = 200_000


@dataclass
class Gathered:
    """Figures and series as they are found, and what is absent, in the order of the file."""

    figures: list[Figure] = field(default_factory=list[Figure])
    columns: list[Samples] = field(default_factory=list[Samples])
    reasons: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    def add(
        self,
        label: str,
        value: float | Missing,
        unit: str,
        estimator: str,
        *,
        spread: float | Missing | None = None,
        samples: tuple[float, ...] = (),
    ) -> None:
        """Keep a figure, or the reason why there is none."""
        if isinstance(value, Missing):
            self.reasons.append(f"{label}: {value.reason}")
            return
        self.figures.append(
            Figure(
                label=label,
                value=value,
                unit=unit,
                estimator=estimator,
                spread=Missing(reason="no spread was written") if spread is None else spread,
                samples=samples,
            )
        )

    def add_samples(self, label: str, seconds: tuple[float, ...]) -> None:
        """Keep samples if there are any."""
        if seconds:
            self.columns.append(Samples(label=label, seconds=seconds, warm_up=0))

    def contents(self, settings: dict[str, str]) -> tuple[Figures | Series, ...]:
        """Return the figures and series that were found since the last call, under settings."""
        found: list[Figures | Series] = []
        if self.figures:
            found.append(Figures(settings=settings, figures=tuple(self.figures)))
        if self.columns:
            found.append(Series(columns=tuple(self.columns)))
        self.figures, self.columns = [], []
        return tuple(found)


def imported(
    file: ForeignFile,
    format: str,
    tool: str | Missing,
    contents: Iterable[Content],
    gathered: Gathered,
) -> Imported:
    """Return what was read. Raises: ImportFailed RM416 where nothing could be read."""
    kept = tuple(contents)
    if not kept:
        reasons = _bounded(gathered.reasons)
        raise file.malformed("; ".join(("nothing in it could be read", *reasons[:3])))
    return Imported(
        source=file.source(format, tool),
        completeness=completeness(gathered.reasons),
        contents=kept,
        notes=_bounded(gathered.notes),
    )


def too_many(file: ForeignFile, what: str) -> ImportFailed:
    """Return the error for a file of more rows or objects than any benchmark writes."""
    fact = f"more than {MOST_ROWS:,} {what}"
    return ImportFailed(problem("RM417", fact, str(file.path), "Split it, or filter it."))


def completeness(reasons: list[str]) -> Complete | Partial:
    """Return Partial where anything is known to be absent."""
    return Partial(reasons=_bounded(reasons)) if reasons else Complete()


def plain(value: object, limit: int = LONGEST_LABEL) -> str:
    """Return text that can be stored and shown: bounded, no control characters, no half of a pair.

    >>> plain(True), plain(None), plain("a\\x1b[31m"), plain(0.5)
    ('true', 'none', 'a�[31m', '0.5')
    """
    if value is None or isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, int) and abs(value) > 1 << 128:
        text = "a number of more than 38 digits"  # str() of a huge int is slow or refused
    elif isinstance(value, list | dict):
        parts = cast("list[Any] | dict[Any, Any]", value)
        text = _nested(parts)
    else:
        text = str(value)
    whole = text[: limit + 1].encode("utf-8", "replace").decode("utf-8")
    clean = "".join(c if c.isprintable() else " " if c in "\n\t\r" else "\ufffd" for c in whole)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _nested(parts: list[Any] | dict[Any, Any]) -> str:
    """Return a small flat list or mapping as text; deeper ones by their size."""
    values: list[Any] = list(parts.values()) if isinstance(parts, dict) else parts
    if len(values) > 32 or any(isinstance(value, list | dict) for value in values):
        return f"{len(values)} values"
    if isinstance(parts, dict):
        return ", ".join(f"{plain(key)} {plain(value)}" for key, value in parts.items())
    return ", ".join(plain(value) for value in values)


def settings_of(values: Mapping[str, object], skip: Iterable[str] = ()) -> dict[str, str]:
    """Return a mapping's entries as text, without those in `skip` and without absent ones."""
    skipped = set(skip)
    kept: dict[str, str] = {}
    for key, value in values.items():
        if key not in skipped and value is not None and value != "" and len(kept) < MOST_SETTINGS:
            kept[plain(key)] = plain(value, LONGEST_SETTING)
    return kept


def amount(value: object) -> float | Missing:
    """Return a finite number, also one written as text; Missing with the reason otherwise.

    >>> amount(3), amount("1.5"), amount(True)
    (3.0, 1.5, Missing(reason='true is no number'))
    """
    if isinstance(value, str):
        return number(plain(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Missing(reason="absent" if value is None else f"{plain(value, 60)} is no number")
    try:
        found = float(value)
    except OverflowError:
        return Missing(reason="a number too large to be one")
    return found if math.isfinite(found) else Missing(reason=f"{found} is no number")


def positive(value: object, factor: float = 1.0) -> float | Missing:
    """Return a number above zero times `factor`: tools write 0 for what they did not measure."""
    found = amount(value)
    if isinstance(found, Missing):
        return found
    scaled = found * factor
    if not 0 < scaled < math.inf:
        return Missing(reason=f"{plain(value, 60)} is no measured amount")
    return scaled


def not_negative(value: object, factor: float = 1.0) -> float | Missing:
    """Return a number of at least zero times `factor`: a spread may be zero."""
    found = amount(value)
    if isinstance(found, Missing):
        return found
    scaled = found * factor
    return scaled if 0 <= scaled < math.inf else Missing(reason=f"{plain(value, 60)} is no spread")


def positives(value: object, factor: float = 1.0) -> tuple[float, ...] | Missing:
    """Return a list's numbers times `factor`; Missing where one of them is no measured amount."""
    if not isinstance(value, list):
        return Missing(reason="no samples were written")
    found: list[float] = []
    for item in cast("list[object]", value):
        one = positive(item, factor)
        if isinstance(one, Missing):
            return Missing(reason=f"sample {len(found) + 1}: {one.reason}")
        found.append(one)
    return tuple(found)


def text_or_missing(value: object, reason: str) -> str | Missing:
    """Return non-empty text, or Missing for the reason."""
    return plain(value) if isinstance(value, str) and value.strip() else Missing(reason=reason)


def mapping(value: object) -> dict[str, Any]:
    """Return a JSON object as it is, anything else as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """Return a JSON array as it is, anything else as an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def _bounded(reasons: list[str]) -> tuple[str, ...]:
    shown = tuple(plain(reason, 2 * LONGEST_LABEL) for reason in reasons[:MOST_REASONS])
    more = len(reasons) - len(shown)
    return (*shown, f"and {more} more of the like") if more > 0 else shown
