"""Accuracy: how often a leg answers rightly, and whether another leg's answers are as good.

In: `Answers` of one leg, or of two to the same questions, and thresholds. Out: `Judged` or
`Compared`. Legs are compared question by question, because two counts hide what flipped. Whatever
was not answered (timed out, errored, not asked) is counted in two ways, always both: left out, and
as wrong. A verdict or a gate that comes out differently by the two is `undecided`: then the clock
decides and not the answers.

Floor: of all questions, at least so many are right. It is about this set: unanswered questions span
from "all of them wrong" to "all of them right".
Ship: B's accuracy minus A's is above -margin: the lower end of Tango's interval is.
"""

from collections.abc import Iterator, Sequence

from msgspec import structs

from roofmark.analysis.accuracy.counts import (
    detectable,
    difference,
    fewest_flips,
    mcnemar,
    needed,
    share,
)
from roofmark.analysis.accuracy.records import (
    AccuracyDecision,
    Compared,
    Flip,
    Gate,
    Judged,
    Kept,
    Leg,
    Paired,
    Told,
)
from roofmark.analysis.verdict import Difference, Estimate
from roofmark.answers import ANSWERED, OUTCOMES, UNANSWERED, Answer, Answers, Outcome
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.extraction import same_answer
from roofmark.records import Missing

LEVEL = 0.95
# Chosen: the margin of a Protocol that names none; on 50 questions that is one of them.
MARGIN = 0.02
# What makes two legs' answers answers to different questions.
_VOID = ("seed", "n_shot", "num_fewshot", "task", "dataset", "split")


def judge_answers(leg: Answers, *, floor: float | None = None, level: float = LEVEL) -> Judged:
    """Return a leg's accuracy with its intervals, and whether it keeps the floor."""
    return Judged(leg=_leg(leg, level), floor=_floor(leg, floor), level=level)


def compare_answers(
    a: Answers,
    b: Answers,
    *,
    floor: float | None = None,
    ship: float | None = None,
    level: float = LEVEL,
    common: bool = False,
) -> Compared:
    """Compare B's answers with A's. floor: of B. ship: largest loss of accuracy that may pass.

    A question that one leg lacks was not asked there, or with `common` does not count.
    Raises: BundleError RM425 when no question is in both.
    """
    only_a, only_b = _lacking(b, a), _lacking(a, b)
    if len(only_a) == len(a.answers):
        raise _nothing_shared(a, b)
    a, b = (_without(a, only_a), _without(b, only_b)) if common else (_with(a, b), _with(b, a))
    theirs = {each.id: each for each in b.answers}
    pairs = [(each, theirs[each.id]) for each in a.answers]
    differences = tuple(_differences(a, b, pairs))
    void = any(each.voids for each in differences)
    judged = [p for p in pairs if all(each.outcome != "not judged" for each in p)]
    answered = [p for p in judged if all(each.outcome in ANSWERED for each in p)]
    sides = (_paired(answered, level), _paired(judged, level))
    margin = MARGIN if ship is None else ship
    decision, because = _decide(*sides, margin=margin, level=level)
    return Compared(
        a=_leg(a, level),
        b=_leg(b, level),
        decision="not comparable" if void else decision,
        because="they answer different questions" if void else because,
        differences=differences,
        only_a=only_a,
        only_b=only_b,
        answered=sides[0],
        asked=sides[1],
        lost=_flips(pairs, ("right",), ("wrong",)),
        gained=_flips(pairs, ("wrong",), ("right",)),
        unanswered=_flips(pairs, ANSWERED, UNANSWERED) + _flips(pairs, UNANSWERED, ANSWERED),
        changed=tuple(f for f in _flips(pairs, ("wrong",), ("wrong",)) if _changed(f)),
        told=_told(sides[0], margin, level),
        floor=_floor(b, floor),
        ship=_ship(*sides, limit=ship, void=void),
        margin=margin,
        level=level,
    )


# --- one leg -------------------------------------------------------------------------------------
def _leg(side: Answers, level: float) -> Leg:
    right, answered = side.count("right"), side.count(*ANSWERED)
    asked = answered + side.count(*UNANSWERED)
    none = Missing(reason="no question was answered and has a known answer")
    return Leg(
        label=side.label,
        rule=side.rule,
        counts={each: n for each in OUTCOMES if (n := side.count(each))},
        answered=share(right, answered, level) if answered else none,
        asked=share(right, asked, level) if asked else none,
        cut=sum(each.finish == "length" for each in side.answers),
        nothing=sum(
            each.outcome == "wrong" and isinstance(each.extracted, Missing)
            for each in side.answers
        ),
    )  # fmt: skip


def _floor(side: Answers, limit: float | None) -> Gate | Missing:
    if limit is None:
        return Missing(reason="no floor was given")
    right, open_ = side.count("right"), side.count(*UNANSWERED)
    asked = side.count(*ANSWERED) + open_
    if not asked:
        return Gate(limit=limit, decision="undecided", because="no question can be judged")
    worst, best = right / asked, (right + open_) / asked
    decision: Kept = "holds" if worst >= limit else "fails" if best < limit else "undecided"
    because = f"{right} of {asked} are right, {_points(worst)}"
    if open_:
        because += f"; with {open_} unanswered, between {_points(worst)} and {_points(best)}"
    return Gate(limit=limit, decision=decision, because=because)


# --- two legs of one set ------------------------------------------------------------------------
def _lacking(side: Answers, other: Answers) -> tuple[str, ...]:
    """Return the questions of `other` that `side` does not have."""
    there = {each.id for each in side.answers}
    return tuple(each.id for each in other.answers if each.id not in there)


def _without(side: Answers, ids: Sequence[str]) -> Answers:
    left = tuple(each for each in side.answers if each.id not in set(ids))
    return structs.replace(side, answers=left)


def _with(side: Answers, other: Answers) -> Answers:
    """Return a leg with the other's questions that it lacks, as not asked."""
    lacking, none = set(_lacking(side, other)), Missing(reason="not asked")
    added = tuple(
        structs.replace(
            each, outcome="not asked", text=none, extracted=none, seconds=none, finish=none,
            tokens=none,
        )
        for each in other.answers
        if each.id in lacking
    )  # fmt: skip
    return structs.replace(side, answers=side.answers + added)


# --- two legs ------------------------------------------------------------------------------------
def _paired(pairs: Sequence[tuple[Answer, Answer]], level: float) -> Paired | Missing:
    if not pairs:
        return Missing(reason="no question was answered by both")
    right = [(a.outcome == "right", b.outcome == "right") for a, b in pairs]
    lost, gained = right.count((True, False)), right.count((False, True))
    p, mid_p = mcnemar(lost, gained)
    return Paired(
        n=len(pairs),
        both=right.count((True, True)),
        lost=lost,
        gained=gained,
        neither=right.count((False, False)),
        difference=difference(lost, gained, len(pairs), level),
        p=p,
        mid_p=mid_p,
    )


def _decide(
    answered: Paired | Missing, asked: Paired | Missing, *, margin: float, level: float
) -> tuple[AccuracyDecision, str]:
    """Return what both ways of counting say, or that they do not agree."""
    if isinstance(answered, Missing) or isinstance(asked, Missing):
        return "undecided", "no question was answered by both"
    one, other = _word(answered, margin, level), _word(asked, margin, level)
    if one == other:
        return one, _because(one, answered, margin)
    return "undecided", (
        f"{one} over the {answered.n} questions that both answered, {other} if what was not "
        f"answered counts as wrong: what was not answered decides, and it says nothing of answers"
    )


def _word(found: Paired, margin: float, level: float) -> AccuracyDecision:
    d = found.difference
    if found.p <= 1 - level and d.value != 0:
        return "better" if d.value > 0 else "worse"
    return "same" if -margin < d.low and d.high < margin else "undecided"


def _because(word: AccuracyDecision, found: Paired, margin: float) -> str:
    d = found.difference
    span = f"{_points(d.low, sign=True)} to {_points(d.high, sign=True)}"
    if word == "same":
        return f"the difference is within {_points(margin)} either way: {span}"
    if word == "undecided":
        return f"p = {found.p:.3g}, and the difference may be {span}"
    return f"{found.lost} answers lost, {found.gained} gained, p = {found.p:.3g}"


def _ship(
    answered: Paired | Missing, asked: Paired | Missing, *, limit: float | None, void: bool
) -> Gate | Missing:
    if limit is None:
        return Missing(reason="no largest loss was given")
    if void or isinstance(answered, Missing) or isinstance(asked, Missing):
        return Gate(limit=limit, decision="undecided", because="the legs cannot be compared")
    one, other = _keeps(answered.difference, limit), _keeps(asked.difference, limit)
    because = (
        f"B - A is above {_points(answered.difference.low, sign=True)} over the {answered.n} that "
        f"both answered, above {_points(asked.difference.low, sign=True)} over all {asked.n}"
    )
    decision = one if one == other else "undecided"
    return Gate(limit=limit, decision=decision, because=because)


def _keeps(d: Estimate, limit: float) -> Kept:
    return "holds" if d.low > -limit else "fails" if d.high < -limit else "undecided"


def _told(found: Paired | Missing, margin: float, level: float) -> Told | Missing:
    """Return what the questions could have told, taking the churn for what flips both ways."""
    if isinstance(found, Missing):
        return found
    churn = 2 * min(found.lost, found.gained) / found.n
    smallest, enough = detectable(found.n, churn, level), needed(margin, churn, level)
    nothing = Missing(reason="not even if every question flipped the same way")
    return Told(
        n=found.n,
        churn=churn,
        flips=fewest_flips(level),
        smallest=nothing if smallest is None else smallest,
        enough=Missing(reason="no set of questions would") if enough is None else enough,
    )


# --- what flipped, and what differs --------------------------------------------------------------
def _flips(
    pairs: Sequence[tuple[Answer, Answer]], mine: Sequence[Outcome], theirs: Sequence[Outcome]
) -> tuple[Flip, ...]:
    return tuple(
        Flip(
            id=a.id,
            question=_said(a.question, ""),
            expected=_said(a.expected, "not known"),
            a=_answered(a),
            b=_answered(b),
            a_outcome=a.outcome,
            b_outcome=b.outcome,
        )
        for a, b in pairs
        if a.outcome in mine and b.outcome in theirs
    )


def _changed(flip: Flip) -> bool:
    return not same_answer(flip.a, flip.b)


def _answered(each: Answer) -> str:
    return each.extracted.reason if isinstance(each.extracted, Missing) else each.extracted


def _said(value: str | Missing, otherwise: str) -> str:
    return otherwise if isinstance(value, Missing) else value


def _differences(
    a: Answers, b: Answers, pairs: Sequence[tuple[Answer, Answer]]
) -> Iterator[Difference]:
    other = [x.id for x, y in pairs if _other_question(x, y)]
    if other:
        mend = "Ask both legs the same questions; an id stands for one of them."
        again = f"{len(other)} of {len(pairs)} differ, the first is {other[0]}"
        yield Difference(
            field="questions", original="as A has them", again=again, voids=True, mend=mend
        )
    if a.rule != b.rule:
        mend = "Take both legs' answers by one rule: --rule gsm8k/1."
        yield Difference(field="rule", original=a.rule, again=b.rule, voids=True, mend=mend)
    for name in dict.fromkeys((*a.settings, *b.settings)):
        mine, theirs = (side.settings.get(name, "not stated") for side in (a, b))
        if mine != theirs:
            voids = name in _VOID and "not stated" not in (mine, theirs)
            mend = f"Ask both with one {name}." if voids else ""
            yield Difference(field=name, original=mine, again=theirs, voids=voids, mend=mend)


def _other_question(a: Answer, b: Answer) -> bool:
    """Whether two answers of one id are to different questions."""
    known = not isinstance(a.expected, Missing) and not isinstance(b.expected, Missing)
    if known and not same_answer(_said(a.expected, ""), _said(b.expected, "")):
        return True
    if isinstance(a.question, Missing) or isinstance(b.question, Missing):
        return False
    return " ".join(a.question.split()) != " ".join(b.question.split())


def _nothing_shared(a: Answers, b: Answers) -> BundleError:
    return BundleError(
        problem(
            "RM425",
            f"{a.label} ({len(a.answers)} questions) and {b.label} ({len(b.answers)}) have no "
            "question in common",
            f"{a.label}, {b.label}",
            "Name two legs that were asked the same questions; --field id=KEY says which is which.",
        )
    )


def _points(value: float, *, sign: bool = False) -> str:
    return f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"
