"""vllm_serve: the result of `vllm bench serve`: throughput, latencies, and requests where kept.

In: one JSON object per run (several lines after `--append-result`). Out: for each run `Figures`
(latencies in seconds) and, where `--save-detailed` kept them, `Series` of each successful request's
time to first token and of every time between tokens. A failed request has a 0 where its time would
be: it is counted as absent and never as fast.
"""

import re
from typing import Any

from roofmark.foreign import Figures, Imported, Series
from roofmark.importers.json_text import Placed, has_all, read_objects
from roofmark.importers.reported import (
    Gathered,
    amount,
    imported,
    not_negative,
    positive,
    sequence,
    settings_of,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

# Source: the result dictionary of vllm/benchmarks/serve.py.
_RATES = {
    "request_throughput": "req/s",
    "request_goodput": "req/s",
    "output_throughput": "tok/s",
    "total_token_throughput": "tok/s",
}
_LATENCY = re.compile(r"^(mean|median|p\d{1,2}(?:\.\d{1,4})?)_(ttft|tpot|itl|e2el)_ms$")
_SPREAD = re.compile(r"^std_\w+_ms$")
_LISTS = ("input_lens", "output_lens", "ttfts", "itls", "start_times", "generated_texts", "errors")
_MILLI = 1e-3


def recognises(head: bytes) -> bool:
    """Whether the fields that every result has are there."""
    return has_all(head, b"request_throughput", b"completed", b"duration")


def read(file: ForeignFile) -> Imported:
    """Return every run. Raises: ImportFailed RM416, RM417, RM418 when no request succeeded."""
    objects = read_objects(file)
    gathered = Gathered(reasons=list(objects.reasons), notes=list(objects.notes))
    contents: list[Figures | Series] = []
    failed: list[str] = []
    for run in objects.found:
        place = f"run on line {run.line}" if len(objects.found) > 1 else "run"
        if not _requests(run.values, place, gathered):
            failed.append(place)
            continue
        contents.extend(_run(run, place, gathered))
    if failed and not contents:
        raise file.failed(f"{failed[0]}: no request was completed")
    tool = Missing(reason="the result does not name its tool; SGLang writes the same fields")
    return imported(file, "vllm_serve", tool, contents, gathered)


def _requests(values: dict[str, Any], place: str, gathered: Gathered) -> bool:
    """Name what failed; return whether any request was completed."""
    completed = not_negative(values.get("completed"))
    sent = positive(values.get("num_prompts"))
    failed = positive(values.get("failed"))
    if isinstance(completed, Missing):
        gathered.reasons.append(f"{place}: how many requests were completed is not stated")
        return True
    if not isinstance(sent, Missing) and completed < sent:
        gathered.reasons.append(f"{place}: {completed:g} of {sent:g} requests were completed")
    elif not isinstance(failed, Missing):
        gathered.reasons.append(f"{place}: {failed:g} requests failed")
    elif isinstance(sent, Missing):
        gathered.notes.append(f"{place}: how many requests were sent is not stated")
    elif completed > sent:
        gathered.notes.append(f"{place}: {completed:g} requests completed, only {sent:g} sent")
    return completed > 0


def _run(run: Placed, place: str, gathered: Gathered) -> list[Figures | Series]:
    values = run.values
    names = [name for name in values if _LATENCY.match(name)]
    spreads = [name for name in values if _SPREAD.match(name)]
    if "duration" in values:
        gathered.add("duration", positive(values["duration"]), "s", "wall clock of the run")
    for name, unit in _RATES.items():
        if values.get(name) is not None:
            gathered.add(name, positive(values[name]), unit, "total over duration")
    for name in names:
        found = _LATENCY.match(name)
        if found:
            estimator, what = found.groups()
            spread = values.get(f"std_{what}_ms") if estimator == "mean" else None
            gathered.add(
                f"{estimator} {what}",
                positive(values[name], _MILLI),
                "s",
                f"{estimator} over requests" if what != "itl" else f"{estimator} over tokens",
                spread=not_negative(spread, _MILLI),
            )
    _samples(values, place, gathered)
    skip = (*_RATES, *names, *spreads, *_LISTS, "duration")
    return list(gathered.contents(settings_of(values, skip=skip)))


def _samples(values: dict[str, Any], place: str, gathered: Gathered) -> None:
    """Keep times of requests that succeeded: those without an error and with a first token."""
    ttfts, itls, errors = (sequence(values.get(name)) for name in ("ttfts", "itls", "errors"))
    if not ttfts:
        return
    good: dict[int, float] = {}
    for at, ttft in enumerate(ttfts):
        first = positive(ttft)
        if not isinstance(first, Missing) and not (at < len(errors) and errors[at]):
            good[at] = first
    if len(good) < len(ttfts):
        gathered.notes.append(
            f"{place}: {len(ttfts) - len(good)} of {len(ttfts)} requests failed or have no first "
            "token; their times are left out"
        )
    completed = amount(values.get("completed"))
    if not isinstance(completed, Missing) and completed != len(good):
        gathered.notes.append(f"{place}: {completed:g} completed, {len(good)} have times")
    gathered.add_samples("ttft", tuple(good.values()))
    between: list[float] = []
    for at in good:
        for time in sequence(itls[at]) if at < len(itls) else ():
            found = not_negative(time)
            if isinstance(found, Missing):
                gathered.reasons.append(f"{place}, itls of request {at + 1}: {found.reason}")
                return
            between.append(found)
    gathered.add_samples("itl", tuple(between))
