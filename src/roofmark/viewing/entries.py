"""Entries: the rows of the list, and which of them a reader asked for.

In: what lies on the shelf, and the words of an address. Out: rows in order, a page at a time.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from roofmark.analysis.summaries import CellSummary, RunSummary
from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing
from roofmark.remembering.found import Found
from roofmark.reports.wording import date_of

if TYPE_CHECKING:
    from roofmark.viewing.underway import Glance

State = Literal["judged", "reading", "running", "interrupted", "damaged"]
# Chosen: two screens; a list of 1,000 rows would take a browser longer than the server.
PAGE = 50
SORTS = ("date", "name", "study", "device", "speedup")
VERDICTS = ("faster", "slower", "same", "undecided", "invalid")
STATES = ("running", "interrupted", "damaged")
_UNREAD = Missing(reason="not judged")


@dataclass(frozen=True)
class Entry:
    """One bundle or run on the shelf. reason: what is to say of it, of damage above all."""

    name: str
    state: State
    found: Found
    reason: str = ""
    summary: RunSummary | None = None
    seen: "Glance | None" = None

    @property
    def is_underway(self) -> bool:
        """Whether it is a run that is not sealed."""
        return self.state in ("running", "interrupted")

    @property
    def digest(self) -> str:
        """The bundle's digest, or "" while it has none that is known."""
        return self.summary.bundle if self.summary else ""

    @property
    def title(self) -> str:
        """The study's title, or "" where it is not known."""
        return self.summary.title if self.summary else self.seen.title if self.seen else ""

    @property
    def device(self) -> str:
        """The device's name, or ""."""
        return self.summary.device_name if self.summary else ""

    @property
    def started(self) -> float | Missing:
        """UTC, seconds since 1970."""
        return self.summary.started if self.summary else self.seen.started if self.seen else _UNREAD

    @property
    def date(self) -> str:
        """When it began, as people read it."""
        return date_of(self.started)

    @property
    def solutions(self) -> dict[str, CellSummary]:
        """Every solution but the baseline, over all workloads."""
        run = self.summary
        held = run.solutions if run else {}
        return {n: s.overall for n, s in held.items() if run and n != run.baseline}

    @property
    def decisions(self) -> list[str]:
        """The decisions of its solutions, each once, best first."""
        held = {each.decision for each in self.solutions.values()}
        return [each for each in VERDICTS if each in held]

    @property
    def best(self) -> tuple[str, Estimate] | None:
        """The solution with the largest speed-up."""
        known = [(n, s.speedup) for n, s in self.solutions.items()]
        found = [(n, s) for n, s in known if isinstance(s, Estimate)]
        return max(found, key=lambda each: each[1].value, default=None)

    @property
    def loop(self) -> str | None:
        """The name of the loop that it may be a step of, or None."""
        parts = self.name.split("/")
        if parts[-1] == "start":
            return "/".join(parts[:-1])
        if len(parts) > 2 and parts[-3] == "tries" and parts[-1] in ("first", "confirmation"):
            return "/".join(parts[:-3])
        return None


@dataclass(frozen=True)
class Asked:
    """What a reader asked the list for. since, until: dates as YYYY-MM-DD. tries: show loops'."""

    text: str = ""
    study: str = ""
    device: str = ""
    verdict: str = ""
    since: str = ""
    until: str = ""
    sort: str = "date"
    down: bool = True
    page: int = 1
    tries: bool = False

    def words(self, **changes: object) -> dict[str, str]:
        """Return the words of an address that asks for this; what is as ever is left out."""
        made, usual = replace(self, **changes), Asked()
        pairs = {name: getattr(made, name) for name in _FIELDS}
        return {
            name: str(int(value)) if isinstance(value, bool) else str(value)
            for name, value in pairs.items()
            if value != getattr(usual, name)
        }


_FIELDS = tuple(Asked.__dataclass_fields__)


def read_asked(words: Mapping[str, str]) -> Asked:
    """Return what an address asks for; what makes no sense is as if it were not there."""
    sort, page = words.get("sort", "date"), words.get("page", "1")
    return Asked(
        **{n: words.get(n, "")[:200] for n in ("text", "study", "device", "verdict")},
        since=words.get("since", "")[:10],
        until=words.get("until", "")[:10],
        sort=sort if sort in SORTS else "date",
        down=words.get("down", "1") != "0",
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        tries=words.get("tries") == "1",
    )


@dataclass(frozen=True)
class Listed:
    """One page of rows, and what there is to choose from."""

    rows: Sequence[Entry]
    asked: Asked
    matching: int
    total: int
    hidden: int
    pages: int
    studies: Sequence[str] = field(default_factory=tuple)
    devices: Sequence[str] = field(default_factory=tuple)


def list_entries(entries: Iterable[Entry], asked: Asked, loops: Iterable[str] = ()) -> Listed:
    """Return the rows that were asked for. loops: names of loops, whose steps are not listed."""
    every, known = list(entries), set(loops)
    shown = [e for e in every if asked.tries or e.loop is None or e.loop not in known]
    rows = [each for each in shown if _matches(each, asked)]
    # By name first, so that equal ones keep an order; what has no value comes last either way.
    rows.sort(key=lambda each: each.name)
    valued = [each for each in rows if _value(each, asked.sort) is not None]
    empty = [each for each in rows if _value(each, asked.sort) is None]
    valued.sort(key=lambda each: _value(each, asked.sort), reverse=asked.down)  # pyright: ignore
    rows = [*valued, *empty]
    pages = max(1, math.ceil(len(rows) / PAGE))
    page = min(max(1, asked.page), pages)
    return Listed(
        rows=rows[(page - 1) * PAGE : page * PAGE],
        asked=replace(asked, page=page),
        matching=len(rows),
        total=len(shown),
        hidden=len(every) - len(shown),
        pages=pages,
        studies=sorted({each.title for each in shown if each.title}),
        devices=sorted({each.device for each in shown if each.device}),
    )


def _matches(entry: Entry, asked: Asked) -> bool:
    words = [entry.name, entry.title, entry.device, entry.digest, *entry.solutions]
    held = " ".join([*words, str(getattr(entry.summary, "commit", ""))]).casefold()
    verdicts = (*entry.decisions, entry.state)
    date = entry.date[:10]
    return (
        all(word in held for word in asked.text.casefold().split())
        and asked.study in ("", entry.title)
        and asked.device in ("", entry.device)
        and (not asked.verdict or asked.verdict in verdicts)
        and (not asked.since or (date != "unknown" and date >= asked.since))
        and (not asked.until or (date != "unknown" and date <= asked.until))
    )


def _value(entry: Entry, sort: str) -> str | float | None:
    if sort == "date":
        return None if isinstance(entry.started, Missing) else entry.started
    if sort == "speedup":
        return entry.best[1].value if entry.best else None
    return {"study": entry.title, "device": entry.device}.get(sort, entry.name) or None
