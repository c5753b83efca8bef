"""A history as text: a chart and a table per line of comparable bundles, oldest first.

In: `History`. Out: text for a terminal; and its `Part`s, from which pages are made too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from roofmark.analysis.history import Entry, History, Line, LinePin, Step
from roofmark.records import Missing
from roofmark.reports.sparkline import sparkline
from roofmark.reports.wording import (
    NOTHING,
    aligned,
    counted,
    date_of,
    lines_text,
    one_line,
    ratio,
    ratio_and_interval,
    seconds,
    shorten,
)

# Chosen: more columns of times than these leave no room for the rest; --json gives every one.
_MOST_TIMES = 3
_HEAD = ["date (UTC)", "commit", "device", "solution", "speed-up", "decision", "moved by"]
_FIELD = 60
# Chosen: fits a terminal of 80 columns beside a solution's name.
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Part:
    """One line of comparable bundles, as a title, notes and a table."""

    title: str
    notes: list[str]
    head: list[str]
    rows: list[list[str]]

    def newest(self, most: int) -> "Part":
        """Return it with its last rows alone, and a note that says so."""
        left = len(self.rows) - most
        if left <= 0:
            return self
        note = f"The table holds the newest {most} rows; roofmark log shows {left} more."
        return replace(self, rows=self.rows[-most:], notes=[*self.notes, note])


def history_text(history: History) -> str:
    """Return every line with its bundles, then what is not counted."""
    lines: list[str] = []
    for line, part in zip(history.lines, history_parts(history), strict=True):
        lines += [part.title, *(f"  {note}" for note in part.notes), *_chart(line)]
        lines += [*aligned(part.head, part.rows), ""]
    if history.damaged:
        lines.append(f"{counted(len(history.damaged), 'bundle')} not counted:")
        lines += [f"  {one_line(d.name)}: {one_line(d.reason)}" for d in history.damaged]
    return lines_text(lines).rstrip() + "\n"


def history_parts(history: History) -> Iterator[Part]:
    """Yield what is said of every line."""
    for line in history.lines:
        names = list(dict.fromkeys(w for s in line.steps for e in s.entries for w in e.times))
        shown = names[:_MOST_TIMES]
        more = len(names) - len(shown)
        notes = [*_notes(line)]
        if more:
            notes.append(f"times of {more} more workloads: --workload NAME, or --json")
        yield Part(
            title=f"{one_line(line.study)}: {counted(len(line.steps), 'bundle')}",
            notes=notes,
            head=[*_HEAD, *shown, "now/before", "bundle"],
            rows=[_row(s, e, shown) for s in line.steps for e in s.entries],
        )


def _notes(line: Line) -> Iterator[str]:
    for each in line.because:
        mine, theirs = (shorten(one_line(t), _FIELD) for t in (each.original, each.again))
        yield f"not comparable with the line before: {each.field}: {mine} -> {theirs}"
    for each in line.drift:
        yield (
            f"{one_line(each.solution)} drifted: {each.decision} in the last bundle than in the "
            f"first, {ratio(each.times)}, in steps too small for a change point"
        )
    if isinstance(line.pin, LinePin):
        gains = [f"{one_line(n)} {value:.2f}x" for n, value in line.pin.speedups.items()]
        yield f"pinned {line.pin.date[:10]}: {', '.join(gains) or 'times alone'}"


def _chart(line: Line) -> Iterable[str]:
    """Yield a chart of the speed-ups of each solution; two bundles are told by the table."""
    if len(line.steps) < 3:
        return
    names = list(dict.fromkeys(e.solution for s in line.steps for e in s.entries))
    wide = max(len(one_line(name)) for name in names)
    for name in names:
        found = [next((e for e in s.entries if e.solution == name), None) for s in line.steps]
        values = [
            None if e is None or isinstance(e.speedup, Missing) else e.speedup.value for e in found
        ]
        pairs = zip(line.steps, found, strict=True)
        bars, marks = sparkline(values, [_mark(s, e) for s, e in pairs], _WIDTH)
        known = [value for value in values if value is not None]
        span = f"{min(known):.2f}x to {max(known):.2f}x" if known else "no speed-up"
        yield f"  {one_line(name):<{wide}}  {bars}  {span}"
        if marks:
            yield f"  {'':<{wide}}  {marks}"
    yield "  (* best, + faster and - slower than the bundle before, P pinned)"


def _mark(step: Step, entry: Entry | None) -> str:
    if step.pinned:
        return "P"
    if entry is None:
        return ""
    return "*" if entry.best else {"faster": "+", "slower": "-", "": ""}[entry.change]


def _row(step: Step, entry: Entry, shown: list[str]) -> list[str]:
    commit = NOTHING if isinstance(step.commit, Missing) else one_line(step.commit)[:9]
    decision = NOTHING if isinstance(entry.decision, Missing) else entry.decision
    missing = Missing(reason="not measured")
    happened = (("BEST", entry.best), (entry.change.upper(), entry.change), ("PIN", step.pinned))
    return [
        date_of(step.started),
        commit + ("+" if step.dirty else ""),
        shorten(one_line(step.device_name), 16),
        one_line(entry.solution),
        ratio_and_interval(entry.speedup),
        decision,
        ",".join(entry.codes) or NOTHING,
        *(seconds(entry.times.get(name, missing)) for name in shown),
        ratio(entry.since),
        " ".join([one_line(step.name), *(mark for mark, on in happened if on)]),
    ]
