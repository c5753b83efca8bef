"""stream_json: what a client saw of streamed requests: first token, all tokens, decode rate.

In: an object per request, or an array or lines of them: `ttft_s`, `total_latency_s`,
`completion_tokens`, `decode_window_s`, `decode_tok_per_s`. Out: `Figures` for each label; several
requests of one label are its samples, a single one is one sample and says so. The rate is checked
against the tokens and times beside it: chunks are not tokens, and the first token is prefill.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from roofmark.foreign import Figures, Imported, Series
from roofmark.importers.json_text import has_all, read_objects
from roofmark.importers.reported import Gathered, imported, plain, positive, settings_of
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_FIGURES = {
    "ttft_s": ("time to first token", "s"),
    "total_latency_s": ("total latency", "s"),
    "decode_window_s": ("decode window", "s"),
    "decode_tok_per_s": ("decode", "tok/s"),
}
_COUNTS = ("completion_tokens", "max_tokens_requested")
# Chosen: what clients round; a chunk taken for a token is off by more wherever it matters.
_AGREES = 0.005


def recognises(head: bytes) -> bool:
    """Whether a request's first token and its rate or tokens are there."""
    return has_all(head, b"ttft_s") and any(
        f'"{each}"'.encode() in head for each in ("decode_tok_per_s", "completion_tokens")
    )


def read(file: ForeignFile) -> Imported:
    """Return the figures of each label. Raises: ImportFailed RM416, RM417."""
    objects = read_objects(file)
    gathered = Gathered(reasons=list(objects.reasons), notes=list(objects.notes))
    labels: dict[str, list[dict[str, Any]]] = {}
    for placed in objects.found:
        labels.setdefault(plain(placed.values.get("label", "")), []).append(placed.values)
    contents: list[Figures | Series] = []
    for label, requests in labels.items():
        contents += _label(label, requests, gathered)
    tool = Missing(reason="the client does not name itself")
    return imported(file, "stream_json", tool, contents, gathered)


def _label(
    label: str, requests: Sequence[Mapping[str, Any]], gathered: Gathered
) -> tuple[Figures | Series, ...]:
    if len(requests) == 1:
        gathered.notes.append(f"{label or 'the file'}: one request, so nothing tells its noise.")
    for number, request in enumerate(requests, 1):
        _check(f"{label} request {number}".strip(), request, gathered)
    for key, (name, unit) in _FIGURES.items():
        found = [positive(each[key]) for each in requests if each.get(key) is not None]
        values = tuple(each for each in found if not isinstance(each, Missing))
        if len(values) < len(requests) and found:
            gathered.reasons.append(f"{label} {name}: {len(requests) - len(values)} lack it")
        if values:
            how = "one request" if len(values) == 1 else f"median of {len(values)} requests"
            gathered.add(name, median(values), unit, how, samples=values)
    settings = settings_of(requests[0], skip=(*_FIGURES, *_COUNTS))
    for key in _COUNTS:
        if said := {plain(each[key]) for each in requests if each.get(key) is not None}:
            settings[key] = ", ".join(sorted(said)[:8])
    return gathered.contents(settings)


def _check(place: str, request: Mapping[str, Any], gathered: Gathered) -> None:
    """Say where the rate is not the tokens after the first over the time after the first."""
    tokens, rate, window = (
        positive(request.get(key))
        for key in ("completion_tokens", "decode_tok_per_s", "decode_window_s")
    )
    if isinstance(tokens, Missing) or isinstance(rate, Missing) or isinstance(window, Missing):
        return
    meant = {
        "all tokens, so the first one, which prefill makes, counts as decoded": tokens,
        "chunks, which are not tokens": positive(request.get("chunks_with_text")),
    }
    if abs(rate * window / (tokens - 1) - 1) <= _AGREES if tokens > 1 else False:
        return
    how = "something else than its tokens and times give"
    for name, count in meant.items():
        if not isinstance(count, Missing) and abs(rate * window / count - 1) <= _AGREES:
            how = name
            break
    gathered.reasons.append(
        f"{place}: {rate:.4g} tok/s over {window:.4g} s is a rate of {how}; "
        f"{max(tokens - 1, 0):g} tokens follow the first: {max(tokens - 1, 0) / window:.4g} tok/s"
    )
