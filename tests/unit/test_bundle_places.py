"""What a bundle says of engines is read as a stranger's."""

import pytest

from roofmark.bundle_places import Seen, place_of
from roofmark.errors import BundleError
from roofmark.records import Missing, decode, encode
from roofmark.served import Answered, LegProfile, LegProfiled, Request, Served, ServedVisit, Spans

NOT = Missing(reason="not counted")


class Shelf(Seen):
    """Records by path, as an opened bundle has them."""

    def __init__(self, record, path=""):
        self._files = {path or place_of(record): encode(record)}

    def _record(self, path, kind):
        return decode(self._files[path], kind, where=path)


def served(*arrivals, sent=0.0):
    request = Request(
        intended=0.0, sent=sent, arrivals=arrivals, prompt_tokens=NOT, tokens=NOT, output="",
        ending=Answered(),
    )  # fmt: skip
    visits = (ServedVisit(block=0, requests=(request,)),)
    return Served(workload="tg2", solution="leg", process=0, schedule="", visits=visits)


def table(tokens=2, wall=1.0, starts=(0.0,), launches=NOT):
    spans = (Spans(name="gemm", kind="kernel", starts=starts, durations=(0.1,)),)
    profile = LegProfile(
        tokens=tokens, wall=wall, spans=spans, launches=launches, graph_launches=NOT, tool="t"
    )
    return LegProfiled(workload="tg2", solution="leg", outcome=profile)


def test_what_a_bench_writes_is_read():
    assert list(Shelf(served(0.1, 0.2)).served()) == [served(0.1, 0.2)]
    assert list(Shelf(table()).tables()) == [table()]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (served(), "answered by nothing"),
        (served(0.2, 0.1), "run backwards"),
        (served(0.1, sent=0.2), "run backwards"),
        (table(tokens=0), "a pass of 0 tokens"),
        (table(wall=0.0), "in 0 s"),
        (table(starts=(0.0, 0.1)), "no begin or no end"),
        (table(launches=-1), "fewer than no launches"),
    ],
)
def test_what_no_bench_could_have_written_is_refused(record, says):
    shelf = Shelf(record)
    with pytest.raises(BundleError, match=rf"RM440\]: .*{says}"):
        list(shelf.served() if isinstance(record, Served) else shelf.tables())


def test_a_record_answers_for_its_own_place_alone():
    with pytest.raises(BundleError, match="RM440"):
        list(Shelf(table(), "serving/tables/tg2/other.json").tables())
