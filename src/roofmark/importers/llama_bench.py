"""llama_bench: what llama-bench of llama.cpp prints, as JSON, JSONL, SQL, CSV or Markdown.

In: one test per object, statement or row. Out: for each set of settings `Figures` in tok/s and
seconds, and `Series` of the repetitions where JSON or JSONL kept them. SQL is read as text and
never executed. A rate that contradicts its own time is kept and noted: somebody parsed the wrong
column before.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roofmark.foreign import Figures, Imported, Series
from roofmark.importers import llama_bench_text
from roofmark.importers.json_text import has_all, read_objects
from roofmark.importers.reported import (
    Gathered,
    amount,
    imported,
    not_negative,
    plain,
    positive,
    positives,
    settings_of,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_NANO = 1e-9
# What a test measured or when: everything else is a setting.
_RESULTS = (
    *("n_prompt", "n_gen", "n_depth", "test", "test_time"),
    *("avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts"),
)
# Chosen: the mean of rates exceeds the rate of the mean by the squared variation; runs that vary
# by 30 % reach this, a wrong column exceeds it a hundred times.
_TOLERATED = 0.1
# Chosen: files round the mean to six digits.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class _Test:
    """One test: its place in the file, its name, and its tokens where they are known."""

    place: str
    label: str
    tokens: float | Missing
    row: dict[str, Any]


def recognises(head: bytes) -> bool:
    """Whether llama-bench's own field names are there, in one of its five forms."""
    return has_all(head, b"n_prompt", b"avg_ts") or llama_bench_text.recognises(head)


def read(file: ForeignFile) -> Imported:
    """Return every test. Raises: ImportFailed RM416, RM417."""
    gathered = Gathered()
    rows = _rows(file, gathered)
    contents: list[Figures | Series] = []
    for settings, tests in _groups(rows):
        seen: set[str] = set()
        for test in tests:
            if test.label in seen:
                gathered.notes.append(f"{test.place}: {test.label} stands twice, settings alike")
            seen.add(test.label)
            _gather(test, gathered)
        contents.extend(gathered.contents(settings))
    return imported(file, "llama_bench", _tool(contents), contents, gathered)


def _rows(file: ForeignFile, gathered: Gathered) -> list[tuple[str, dict[str, Any]]]:
    form = llama_bench_text.form_of(file.head())
    if form:
        return form(file, gathered)
    objects = read_objects(file)
    gathered.reasons.extend(objects.reasons)
    gathered.notes.extend(objects.notes)
    return [(f"line {one.line}", one.values) for one in objects.found]


def _groups(
    rows: Iterable[tuple[str, dict[str, Any]]],
) -> list[tuple[dict[str, str], list[_Test]]]:
    """Return tests with equal settings together, in the order in which settings first appear."""
    groups: dict[tuple[tuple[str, str], ...], list[_Test]] = {}
    for place, row in rows:
        key = tuple(settings_of(row, skip=_RESULTS).items())
        groups.setdefault(key, []).append(_test(place, row))
    return [(dict(key), tests) for key, tests in groups.items()]


def _test(place: str, row: dict[str, Any]) -> _Test:
    """Return the test with its name as llama-bench prints it: pp512, tg128, pp512+tg128 @ d4096."""
    if "test" in row:
        return _Test(place, plain(row["test"]), Missing(reason="the table gives none"), row)
    counts = {name: amount(row.get(name)) for name in ("n_prompt", "n_gen")}
    parts = [
        f"{short}{count:.0f}"
        for short, count in zip(("pp", "tg"), counts.values(), strict=True)
        if not isinstance(count, Missing) and count > 0
    ]
    depth = positive(row.get("n_depth"))
    label = "+".join(parts) + ("" if isinstance(depth, Missing) else f" @ d{depth:.0f}")
    tokens = sum(0.0 if isinstance(count, Missing) else count for count in counts.values())
    if not parts:
        return _Test(place, f"{place}, a test without tokens", positive(None), row)
    return _Test(place, plain(label), positive(tokens), row)


def _gather(test: _Test, gathered: Gathered) -> None:
    """Keep a test's rate and time, and its samples where they were written."""
    row = test.row
    rates, seconds = _samples(test, gathered)
    count = len(seconds) or len(rates)
    estimator = f"mean of {count} repetitions" if count else "mean; repetitions are not stated"
    rate = positive(row.get("avg_ts"))
    spread = not_negative(row.get("stddev_ts"))
    gathered.add(test.label, rate, "tok/s", estimator, spread=spread, samples=rates)
    if "avg_ns" in row:
        time = positive(row["avg_ns"], _NANO)
        spread = not_negative(row.get("stddev_ns"), _NANO)
        label = f"{test.label} time"
        gathered.add(label, time, "s", estimator, spread=spread, samples=seconds)
        _doubt(test, rate, time, gathered)
    if rates and not isinstance(rate, Missing):
        mean = math.fsum(rates) / len(rates)
        if not math.isclose(mean, rate, rel_tol=_ROUNDING):
            gathered.notes.append(
                f"{test.place}: avg_ts {rate:g} is not the mean of samples_ts, {mean:g}"
            )
    gathered.add_samples(test.label, seconds)


def _samples(test: _Test, gathered: Gathered) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the repetitions as tok/s and as seconds; empty where they were not written."""
    kept: list[tuple[float, ...]] = []
    for name, factor in (("samples_ts", 1.0), ("samples_ns", _NANO)):
        found = positives(test.row[name], factor) if name in test.row else ()
        if isinstance(found, Missing):
            gathered.reasons.append(f"{test.place}, {name}: {found.reason}")
            found = ()
        kept.append(found)
    return kept[0], kept[1]


def _doubt(test: _Test, rate: float | Missing, time: float | Missing, gathered: Gathered) -> None:
    """Note a rate that its own time and tokens do not give."""
    if isinstance(rate, Missing) or isinstance(time, Missing) or isinstance(test.tokens, Missing):
        return
    derived = test.tokens / time
    if not math.isclose(rate, derived, rel_tol=_TOLERATED):
        gathered.notes.append(
            f"{test.place}: {test.label} says {rate:g} tok/s, but {test.tokens:g} tokens in "
            f"{time:g} s are {derived:g} tok/s"
        )


def _tool(contents: list[Figures | Series]) -> str | Missing:
    for content in contents:
        if isinstance(content, Figures):
            build = content.settings.get("build_number")
            commit = content.settings.get("build_commit")
            if build and commit:
                return plain(f"llama-bench, build {commit} ({build})")
    return Missing(reason="no build is named")
