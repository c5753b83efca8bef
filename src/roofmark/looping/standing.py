"""Standing: what a loop has come to, and what it has cost.

In: tries, the seconds of the start. Out: sums and ratios for `loop status`, the chart, the brief.
"""

from collections.abc import Sequence

from msgspec import UnsetType

from roofmark.looping.duel import confirmation_level
from roofmark.looping.journal import ratio_of
from roofmark.looping.tries import Ending, Measured, Try
from roofmark.records import Missing, Record
from roofmark.units import Ratio, Seconds


class Standing(Record):
    """The sums of a loop.

    best: number of the last kept try, 0 for none. over_start: its speed-up over the study's own,
    the product of the confirmations that led there. next_level: of the next confirmation. seconds:
    proposals and runs; device_seconds: runs, the start's included. tokens, usd: of the tries whose
    proposer reported them.
    """

    tries: int
    kept: int
    best: int
    over_start: Ratio
    endings: dict[Ending, int]
    confirmations: int
    next_level: float
    seconds: Seconds
    device_seconds: Seconds
    tokens: int | Missing
    usd: float | Missing


class Point(Record):
    """One try in the chart of progress. best: speed-up of the incumbent after it."""

    number: int
    device_seconds: Seconds
    over_start: Ratio | Missing
    best: Ratio
    ending: Ending
    what: str


def sum_up(tries: Sequence[Try], start_seconds: float, alpha: float) -> Standing:
    """Return the sums. start_seconds: for which the start held the device."""
    endings: dict[Ending, int] = {}
    for each in tries:
        endings[each.ending] = endings.get(each.ending, 0) + 1
    best = max((each.number for each in tries if each.ending == "kept"), default=0)
    confirmed = [t.ending == "kept" for t in tries if isinstance(t.confirmation, Measured)]
    device = start_seconds + sum(each.device_seconds for each in tries)
    missing = Missing(reason="no proposer reported it")
    tokens = [t.note.tokens for t in tries if not isinstance(t.note.tokens, UnsetType)]
    usd = [t.note.usd for t in tries if not isinstance(t.note.usd, UnsetType)]
    return Standing(
        tries=len(tries),
        kept=endings.get("kept", 0),
        best=best,
        over_start=ratios_over_start(tries).get(best, 1.0),
        endings=endings,
        confirmations=len(confirmed),
        next_level=confirmation_level(alpha, confirmed),
        seconds=round(start_seconds + sum(each.seconds for each in tries), 3),
        device_seconds=round(device, 3),
        tokens=sum(tokens) if tokens else missing,
        usd=round(sum(usd), 6) if usd else missing,
    )


def ratios_over_start(tries: Sequence[Try]) -> dict[int, float]:
    """Return number -> speed-up over the study's own version, of every try that has a ratio.

    A kept try's is its confirmation's: the first run chose it, so its own ratio flatters.
    """
    found: dict[int, float] = {0: 1.0}
    for each in tries:
        base, ratio = found.get(each.against, 1.0), ratio_of(each)
        if isinstance(each.same_as, int) and each.same_as in found:
            found[each.number] = found[each.same_as]
        elif ratio is not None:
            found[each.number] = base * ratio
    return found


def trace_progress(tries: Sequence[Try], start_seconds: float) -> list[Point]:
    """Return a point for each try, in order, after the device seconds spent until its end."""
    points: list[Point] = []
    ratios, spent, best = ratios_over_start(tries), start_seconds, 1.0
    for each in tries:
        spent += each.device_seconds
        best = ratios[each.number] if each.ending == "kept" else best
        points.append(
            Point(
                number=each.number,
                device_seconds=round(spent, 3),
                over_start=ratios.get(each.number, Missing(reason=each.ending)),
                best=best,
                ending=each.ending,
                what=each.note.hypothesis,
            )
        )
    return points
