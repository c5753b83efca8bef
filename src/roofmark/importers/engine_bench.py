"""engine_bench: an engine's own benchmark lines, or a JSON collection of them, in tok/s and ms.

In: a log with `pp 512 tokens avg 38.56 ms (13277.98 tok/s) [5 reps]`, or JSON whose `benchmarks`
hold fields such as `pp512_tok_per_s`. Out: `Figures`, each number with the unit that stands beside
it: the rate from the field that ends in tok/s, never the milliseconds before it. What a collection
calls a baseline becomes `Figures` of its own, with the role in the settings.
"""

import math
import re
from typing import Any

from roofmark.foreign import Figures, Imported
from roofmark.importers.json_text import LARGEST_JSON, has_all, read_object
from roofmark.importers.reported import (
    Gathered,
    amount,
    imported,
    mapping,
    plain,
    positive,
    settings_of,
    text_or_missing,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_LINE = re.compile(
    r"^(?P<kind>pp|tg)\s+(?P<tokens>\d{1,9}) tokens\s+avg\s+(?P<ms>\S{1,30}) ms\s+"
    r"\(\s*(?P<rate>\S{1,30}) tok/s\)\s+\[(?P<reps>\d{1,9}) reps\]\s*$"
)
_LINES = re.compile(rb"^(?:pp|tg)\s+\d{1,9} tokens\s+avg\s+\S{1,30} ms\s+\(", re.MULTILINE)
_ANNOUNCED = re.compile(r"^Benchmark: pp=(\d{1,9}), tg=(\d{1,9}), reps=(\d{1,9})\s*$")
_ANNOUNCES = re.compile(rb"^Benchmark: pp=\d{1,9}, tg=\d{1,9}, reps=\d{1,9}", re.MULTILINE)
_TOOL = re.compile(r"^(\S[\w .-]{0,80} Engine \d[\w.-]{0,40})\s*$")
_SETTINGS = {
    "model": re.compile(r"^Loading model: (.+)$"),
    "architecture": re.compile(r"Architecture: (.+)$"),
    "shape": re.compile(r"Config: (layers=.+)$"),
    "kv_cache": re.compile(r"KV cache dtype: (\S+)"),
    "device": re.compile(r"Device SM version: (.+)$"),
}
_RATE_FIELD = re.compile(r"^((?:pp|tg)\d{1,9})_tok_per_s$")
_BASELINE_FIELD = re.compile(r"^baseline_((?:pp|tg)\d{1,9})$")
# Chosen: milliseconds and rates are printed to a hundredth, and a mean of rates is not the rate of
# a mean; a wrong column is off a hundred times.
_TOLERATED = 0.1
# Chosen: a difference in percent is printed with one digit.
_PERCENT = 0.06


def recognises(head: bytes) -> bool:
    """Whether a benchmark line, its announcement or a collection of rates is there."""
    if _LINES.search(head) or _ANNOUNCES.search(head):
        return True
    return has_all(head, b"benchmarks") and b'_tok_per_s"' in head


def read(file: ForeignFile) -> Imported:
    """Return every rate and time. Raises: ImportFailed RM416, RM417, RM418."""
    if file.head().lstrip()[:1] == b"{":
        return _collection(file)
    return _log(file)


def _log(file: ForeignFile) -> Imported:
    gathered = Gathered()
    settings: dict[str, str] = {}
    announced: list[str] = []
    tool: str | Missing = Missing(reason="no engine is named")
    for at, line in enumerate(file.text(limit=LARGEST_JSON).split("\n"), 1):
        if found := _LINE.match(line):
            _measured(f"line {at}", found, gathered)
        elif found := _ANNOUNCED.match(line):
            announced += [f"pp{int(found[1])}", f"tg{int(found[2])}"]
            settings["reps"] = found[3]
        elif found := _TOOL.match(line):
            tool = plain(found[1])
        elif _LINES.match(line.encode("utf-8", "replace")):
            gathered.reasons.append(f"line {at}: this result cannot be read to its end")
        else:
            _setting(line, settings)
    _unfinished(file, announced, gathered)
    return imported(file, "engine_bench", tool, gathered.contents(settings), gathered)


def _measured(place: str, found: re.Match[str], gathered: Gathered) -> None:
    """Keep one line's rate and time, and note it when the two contradict each other."""
    label = f"{found['kind']}{int(found['tokens'])}"
    estimator = f"mean of {found['reps']} repetitions"
    rate, time = positive(found["rate"]), positive(found["ms"], 1e-3)
    gathered.add(label, rate, "tok/s", estimator)
    gathered.add(f"{label} time", time, "s", estimator)
    if not isinstance(rate, Missing) and not isinstance(time, Missing):
        derived = int(found["tokens"]) / time
        if not math.isclose(rate, derived, rel_tol=_TOLERATED):
            gathered.notes.append(
                f"{place}: {label} says {rate:g} tok/s, but its time gives {derived:g} tok/s"
            )


def _setting(line: str, settings: dict[str, str]) -> None:
    for name, pattern in _SETTINGS.items():
        found = pattern.search(line[:2000])
        if found:
            settings.setdefault(name, plain(found[1].strip()))


def _unfinished(file: ForeignFile, announced: list[str], gathered: Gathered) -> None:
    """Name what was announced and never printed. Raises: ImportFailed RM418 when nothing was."""
    printed = {figure.label for figure in gathered.figures}
    absent = [label for label in announced if label not in printed | {"pp0", "tg0"}]
    if absent and not printed and not gathered.reasons:
        raise file.failed(f"the log announces {', '.join(absent[:4])} and ends without a result")
    gathered.reasons.extend(f"{label} was announced and has no result" for label in absent)


def _collection(file: ForeignFile) -> Imported:
    """Return the rates of every entry under `benchmarks`, and the baselines beside them."""
    values = read_object(file)
    gathered = Gathered()
    common = settings_of(values, skip=("benchmarks", "thresholds"))
    for name, limit in mapping(values.get("thresholds")).items():
        common[plain(f"threshold {name}")] = plain(limit)
    contents: list[Figures] = []
    for name, entry in mapping(values.get("benchmarks")).items():
        contents.extend(_entry(plain(name), mapping(entry), common, gathered))
    tool = text_or_missing(values.get("build"), "no build is named")
    return imported(file, "engine_bench", tool, contents, gathered)


def _entry(
    name: str, entry: dict[str, Any], common: dict[str, str], gathered: Gathered
) -> list[Figures]:
    rates = [found for field in entry if (found := _RATE_FIELD.match(field))]
    bases = [found for field in entry if (found := _BASELINE_FIELD.match(field))]
    reps = positive(entry.get("reps"))
    known = not isinstance(reps, Missing)
    estimator = f"not stated, {reps:g} repetitions" if known else "not stated"
    own = settings_of(entry, skip=[found[0] for found in (*rates, *bases)])
    kept: list[Figures] = []
    for role, fields in (("measured", rates), ("baseline", bases)):
        rows = Gathered(reasons=gathered.reasons)
        for field in fields:
            label = field[1]
            if role == "measured":
                rows.add(label, positive(entry[field[0]]), "tok/s", estimator)
            elif f"{label}_tok_per_s" in entry:
                rows.add(label, positive(entry[field[0]]), "tok/s", "not stated")
                gathered.notes.append(_unit_of_baseline(name, label, entry))
            else:
                rows.reasons.append(f"{name}, {field[0]}: nothing beside it tells its unit")
        settings = {**common, **own, "benchmark": name, "role": role}
        kept.extend(one for one in rows.contents(settings) if isinstance(one, Figures))
    return kept


def _unit_of_baseline(name: str, label: str, entry: dict[str, Any]) -> str:
    """Return how the unit of a baseline was found, and whether the file's difference agrees."""
    told = f"{name}: baseline_{label} bears no unit and is read as tok/s, as {label}_tok_per_s is"
    now, before = positive(entry[f"{label}_tok_per_s"]), positive(entry[f"baseline_{label}"])
    stated = amount(entry.get(f"delta_{label}_pct"))
    if isinstance(now, Missing) or isinstance(before, Missing) or isinstance(stated, Missing):
        return told
    derived = (now / before - 1) * 100
    agrees = abs(derived - stated) <= _PERCENT
    return f"{told}; delta_{label}_pct {stated:g} {'agrees' if agrees else 'contradicts it'}"
