"""A history as text: a table per line of comparable bundles, oldest first.

In: `History`. Out: text for a terminal.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from roofmark.analysis.history import Entry, History, Line, Step
from roofmark.records import Missing
from roofmark.reports.wording import (
    NOTHING,
    aligned,
    counted,
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


def history_text(history: History) -> str:
    """Return every line with its bundles, then what could not be read."""
    lines: list[str] = []
    for line in history.lines:
        lines += [*_line(line), ""]
    if history.damaged:
        lines.append(f"{counted(len(history.damaged), 'bundle')} cannot be read:")
        lines += [f"  {one_line(d.name)}: {one_line(d.reason)}" for d in history.damaged]
    return lines_text(lines).rstrip() + "\n"


def _line(line: Line) -> Iterable[str]:
    yield f"{one_line(line.study)}: {counted(len(line.steps), 'bundle')}"
    for each in line.because:
        mine, theirs = (shorten(one_line(t), _FIELD) for t in (each.original, each.again))
        yield f"  not comparable with the line before: {each.field}: {mine} -> {theirs}"
    names = list(dict.fromkeys(w for s in line.steps for e in s.entries for w in e.times))
    shown = names[:_MOST_TIMES]
    head = [*_HEAD, *shown, "now/before", "bundle"]
    yield from aligned(head, [_row(s, e, shown) for s in line.steps for e in s.entries])
    if len(names) > len(shown):
        yield f"... times of {len(names) - len(shown)} more workloads: --workload NAME, or --json"


def _row(step: Step, entry: Entry, shown: list[str]) -> list[str]:
    commit = NOTHING if isinstance(step.commit, Missing) else step.commit[:9]
    decision = NOTHING if isinstance(entry.decision, Missing) else entry.decision
    missing = Missing(reason="not measured")
    marks = [
        mark for mark, on in (("BEST", entry.best), (entry.change.upper(), entry.change)) if on
    ]
    return [
        _date(step.started),
        commit + ("+" if step.dirty else ""),
        shorten(one_line(step.device_name), 16),
        one_line(entry.solution),
        ratio_and_interval(entry.speedup),
        decision,
        ",".join(entry.codes) or NOTHING,
        *(seconds(entry.times.get(name, missing)) for name in shown),
        ratio(entry.since),
        " ".join([one_line(step.name), *marks]),
    ]


def _date(started: float | Missing) -> str:
    if isinstance(started, Missing):
        return "unknown"
    return datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%d %H:%M")
