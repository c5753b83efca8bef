"""The brief: what a proposer is told before it changes anything.

In: the loop's state and the bundle of its incumbent. Out: a record (JSON) and the same as Markdown.
"""

from collections.abc import Mapping, Sequence

from roofmark.analysis.verdict import Bound, Estimate, Verdict
from roofmark.looping.journal import speedup_text
from roofmark.looping.tries import Try
from roofmark.records import Missing, Record
from roofmark.reports.wording import one_line
from roofmark.units import Ratio, Seconds, show

RULES = (
    "Change only the files listed here; any other changed, new or missing file refuses the try.",
    "The entry, its parameters, the reference and the tolerance stay as they are.",
    "Outputs of timed calls are checked against the reference, with fresh values at each call.",
    "Do not repeat what was tried: the same program again is refused.",
    "Leave a note, if you like, as JSON in the file that ROOFMARK_NOTE names: hypothesis, "
    "predicted (speed-up, 1.05), cost, constraint, rejected, directive, stop (true ends the loop).",
)


class Place(Record):
    """The incumbent on one workload. limit: what binds it; advice: what to try."""

    workload: str
    seconds: Seconds | Missing
    above_floor: Ratio | Missing
    bound: str
    headroom: Ratio | Missing
    because: str
    advice: str


class Tried(Record):
    """One earlier try."""

    number: int
    hypothesis: str
    ending: str
    reason: str
    speedup: str


class Brief(Record):
    """Everything that a proposer is told."""

    number: int
    study: str
    solution: str
    device: str
    margin: Ratio
    best: int
    files: dict[str, str]
    verdict: str
    places: tuple[Place, ...]
    tried: tuple[Tried, ...]
    rules: tuple[str, ...]


def make_brief(
    number: int,
    solution: str,
    files: Mapping[str, str],
    standing: tuple[int, Verdict, str],
    tries: Sequence[Try],
    *,
    margin: float,
) -> Brief:
    """Return the brief. standing: the best try, its verdict, and its name there."""
    best, verdict, name = standing
    overall = [o for o in verdict.overall if o.solution == name and o.role == "solution"]
    said = f"{overall[0].decision} {_ratio(overall[0].speedup)}".strip() if overall else "baseline"
    return Brief(
        number=number,
        study=verdict.study,
        solution=solution,
        device=verdict.device_name,
        margin=margin,
        best=best,
        files=dict(files),
        verdict=f"{said} (against {verdict.baseline})",
        places=_places(verdict, name),
        tried=tuple(
            Tried(
                number=each.number,
                hypothesis=each.note.hypothesis,
                ending=each.ending,
                reason=each.reason,
                speedup=speedup_text(each.confirmation) or speedup_text(each.first),
            )
            for each in tries
        ),
        rules=RULES,
    )


def _ratio(speedup: Estimate | Missing) -> str:
    if isinstance(speedup, Missing):
        return ""
    return f"{speedup.value:.3g}x ({speedup.low:.3g}-{speedup.high:.3g})"


def _places(verdict: Verdict, name: str) -> tuple[Place, ...]:
    found: list[Place] = []
    for cell in verdict.cells:
        if cell.solution == name:
            bound = cell.bound if isinstance(cell.bound, Bound) else None
            why = cell.bound.reason if isinstance(cell.bound, Missing) else ""
            found.append(
                Place(
                    workload=cell.workload,
                    seconds=cell.time if isinstance(cell.time, Missing) else cell.time.value,
                    above_floor=cell.roof if isinstance(cell.roof, Missing) else cell.roof.headroom,
                    bound=bound.kind if bound else "unknown",
                    headroom=bound.headroom if bound else Missing(reason=why),
                    because=bound.because if bound else why,
                    advice=bound.advice if bound else "",
                )
            )
    return tuple(found)


def render_brief(brief: Brief) -> str:
    """Return the brief as Markdown."""
    lines = [
        f"# Try {brief.number}: make `{brief.solution}` of {brief.study} faster",
        "",
        f"On {brief.device}; what is kept must be faster by more than {brief.margin:.2%}. "
        f"The best so far is {f'try {brief.best}' if brief.best else 'the study itself'}: "
        f"{brief.verdict}.",
        "",
        "## Rules",
        "",
        *(f"- {rule}" for rule in brief.rules),
        "",
        "## Where it stands",
        "",
        "| workload | time | over floor | bound | headroom | because | advice |",
        "|---|---|---|---|---|---|---|",
        *(_place_row(place) for place in brief.places),
        "",
        "## Tried (do not repeat)",
        "",
        *(
            f"- {each.number}: {each.ending} {each.speedup} "
            f"{one_line(each.hypothesis)}: {one_line(each.reason)}"
            for each in brief.tried
        ),
        *([] if brief.tried else ["Nothing yet."]),
    ]
    for name, text in brief.files.items():
        lines += ["", f"## {name}", "", *(f"    {line}" for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def _place_row(place: Place) -> str:
    time = "" if isinstance(place.seconds, Missing) else show(place.seconds, "s")
    cells = (
        place.workload,
        time,
        _times(place.above_floor),
        place.bound,
        _times(place.headroom),
        place.because,
        place.advice,
    )
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |"


def _times(ratio: float | Missing) -> str:
    return "" if isinstance(ratio, Missing) else f"{ratio:.2f}x"
