"""Rounds: which process sets are measured before the next look. Pure.

In: an agenda, the number of stations. Out: units. A look is only taken when every set that was
begun has ended, so it sees the sets in the order in which they were planned, without gaps, as the
stopping rule's level assumes; and some of its looks are skipped, which costs level and errs in
nobody's favour.
"""

from roofmark.bench.agenda import Agenda
from roofmark.fleet.words import Measure


def plan_round(agenda: Agenda, stations: int, first: int) -> list[Measure]:
    """Return the sets of the next round, numbered from `first`; none when nothing is left to do.

    A round has as many sets as each pending workload still needs before it may be looked at, and so
    many more that no station idles in the last row, up to the most sets of the protocol.
    """
    fewest, most = agenda.study.protocol.processes
    counts = agenda.counts()
    wanted = {
        w.id: min(most - counts[w.id], _filled(max(1, fewest - counts[w.id]), stations))
        for w in agenda.pending()
    }
    given_up = tuple(sorted(agenda.hopeless()))
    return [
        Measure(
            process=first + number,
            workloads=tuple(name for name, sets in wanted.items() if sets > number),
            given_up=given_up,
        )
        for number in range(max(wanted.values(), default=0))
    ]


def _filled(sets: int, stations: int) -> int:
    """Return the least multiple of `stations` that is no less than `sets`."""
    return -(-sets // stations) * stations
