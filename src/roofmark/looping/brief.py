"""The brief: what a proposer is told before it changes anything.

In: the loop's state and the bundle of its incumbent. Out: a record (JSON) and the same as Markdown.
"""

from collections.abc import Sequence

from roofmark.analysis.verdict import Bound, Estimate, Verdict
from roofmark.looping.journal import speedup_text
from roofmark.looping.standing import ratios_over_start
from roofmark.looping.tries import LoopPlan, Try, Version
from roofmark.records import Missing, Record
from roofmark.reports.wording import one_line
from roofmark.units import Ratio, Seconds, show

RULES = (
    "Change only the files listed here; any other changed, new or missing file refuses the try.",
    "The entry, the reference and the tolerance stay as they are. Params that are listed here may "
    "change too, through the note.",
    "Outputs of timed calls are checked against the reference, with fresh values at each call.",
    "Do not repeat what was tried: the same program again is refused.",
    "Leave a note, if you like, as JSON in the file that ROOFMARK_NOTE names: hypothesis, params "
    '({"WARPS": 8}), predicted (speed-up, 1.05), tokens, usd, constraint, rejected, directive, '
    "stop (true ends the loop).",
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
    """One earlier try. params: that it changed. over_start: its speed-up over the study's own."""

    number: int
    against: int
    params: dict[str, int]
    hypothesis: str
    ending: str
    reason: str
    speedup: str
    over_start: Ratio | Missing


class Brief(Record):
    """Everything that a proposer is told.

    params: those that may change, as they are now. start_params: as the study itself has them.
    """

    number: int
    study: str
    solution: str
    device: str
    margin: Ratio
    best: int
    files: dict[str, str]
    params: dict[str, int]
    start_params: dict[str, int]
    verdict: str
    places: tuple[Place, ...]
    tried: tuple[Tried, ...]
    rules: tuple[str, ...]


def make_brief(
    number: int,
    plan: LoopPlan,
    versions: tuple[Version, Version],
    standing: tuple[int, Verdict, str],
    tries: Sequence[Try],
    *,
    params: Sequence[str],
) -> Brief:
    """Return the brief. versions: the study's own, and the incumbent.

    standing: the best try, its verdict, and its name there. params: names of those that may change.
    """
    best, verdict, name = standing
    start, incumbent = versions
    overall = [o for o in verdict.overall if o.solution == name and o.role == "solution"]
    said = f"{overall[0].decision} {_ratio(overall[0].speedup)}".strip() if overall else "baseline"
    return Brief(
        number=number,
        study=verdict.study,
        solution=plan.solution,
        device=verdict.device_name,
        margin=plan.margin,
        best=best,
        files=incumbent.files,
        params={each: incumbent.params[each] for each in params},
        start_params={each: start.params[each] for each in params},
        verdict=f"{said} (against {verdict.baseline})",
        places=places_of(verdict, name),
        tried=_tried(tries),
        rules=RULES,
    )


def _tried(tries: Sequence[Try]) -> tuple[Tried, ...]:
    over_start = ratios_over_start(tries)
    return tuple(
        Tried(
            number=each.number,
            against=each.against,
            params=each.params,
            hypothesis=each.note.hypothesis,
            ending=each.ending,
            reason=each.reason,
            speedup=speedup_text(each.confirmation) or speedup_text(each.first),
            over_start=over_start.get(each.number, Missing(reason=each.ending)),
        )
        for each in tries
    )


def _ratio(speedup: Estimate | Missing) -> str:
    if isinstance(speedup, Missing):
        return ""
    return f"{speedup.value:.3g}x ({speedup.low:.3g}-{speedup.high:.3g})"


def places_of(verdict: Verdict, name: str) -> tuple[Place, ...]:
    """Return where one solution stands on each workload."""
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
    if brief.params:
        lines += ["", "## Params", "", *(f"- {n} = {value}" for n, value in brief.params.items())]
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
