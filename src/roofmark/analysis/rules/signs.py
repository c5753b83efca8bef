"""Facts about what the bench noticed beside times and errors.

In: a case, a place. Out: kind -> sentences, of every process that passed or was wrong.
"""

from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.evidence import Incorrect, Passed


@fact
def signs(case: Case, place: Place) -> dict[str, tuple[str, ...]]:
    """Kind -> what was seen, in order and each once."""
    series = case.scene.series.get(place)
    found: dict[str, list[str]] = {}
    for trace in series.traces if series else ():
        if isinstance(trace.outcome, Passed | Incorrect):
            for sign in trace.outcome.signs:
                said = found.setdefault(sign.kind, [])
                if sign.text not in said:
                    said.append(sign.text)
    return {kind: tuple(said) for kind, said in found.items()}


def tell(signs: dict[str, tuple[str, ...]], *kinds: str) -> str:
    """Return the sentences of these kinds; the bench's words differ between processes, so few."""
    return "; ".join(text for kind in kinds for text in signs.get(kind, ())[:2])
