"""Matching: what the evidence says about one claim.

In: a claim and an `Index`. Out: a `Citation`. Supported: a value agrees with the printed digits and
shares the claim's words. Contradicted: the words surely name a thing, and it has another value,
another unit, or the number belongs to something else. Everything else is not derivable: a checker
that cries wolf is not read.
"""

from collections.abc import Iterable

from msgspec import structs

from roofmark.analysis.cite.label import Bond, Label, Says
from roofmark.analysis.cite.measures import BASE
from roofmark.analysis.cite.pairs import asks_for_ratio, estimator_of, ratios
from roofmark.analysis.cite.records import Citation, Claim, Derived, Fault, Status
from roofmark.analysis.cite.subjects import Hit, Index, Subject, Value
from roofmark.records import Missing
from roofmark.units import show

# Chosen: two digits agree by chance with one of a hundred values; three with one of a thousand.
_TELLING = 3
# Chosen: five digits agree by chance with one of a hundred thousand values: they need no name.
_IDENTIFYING = 5
# Source: what units are confused by: prefixes, minutes, percent.
_FACTORS = (1e3, 1e-3, 1e6, 1e-6, 60.0, 1 / 60, 100.0, 0.01)
# Chosen: "about" allows a tenth; what is further off was not rounded.
_ABOUT = 0.1
# Chosen: far below any printed digit, far above what adding in another order changes.
_SLACK = 1e-9
_CONFUSABLE = frozenset(("mean", "median", "p95", "p99", "std", "min", "max", "total"))


def match_claim(claim: Claim, index: Index, text: Says) -> Citation:
    """Return what the evidence says about a claim; text: what its text says of all numbers."""
    label = Label(claim, text)
    found = _supported(label, index) or _supported_ratio(label, index) or _fraction(label, index)
    if found:
        return _citation(claim, "supported", "", *found)
    if claim.computed or claim.relation in ("<=", ">=") or claim.dimension == "fraction":
        return _not_derivable(claim, "a result or a bound is only checked where it agrees")
    wrong = _of_another_part(label, index) or _contradicted(label, index)
    wrong = wrong or _contradicted_ratio(label, index)
    if wrong:
        fault, truth, note = wrong
        return _citation(claim, "contradicted", fault, truth, note)
    return _not_derivable(claim, "nothing in the evidence bears on it")


def show_derived(derived: Derived) -> str:
    """Return a value as people read it."""
    if derived.unit in ("s", "B", "B/s", "flop/s", "Hz") and derived.value >= 0:
        return show(derived.value, derived.unit)
    return f"{derived.value:.6g}{'x' if derived.unit == '1' else f' {derived.unit}'.rstrip()}"


def _citation(
    claim: Claim, status: Status, fault: Fault, truth: Derived | Missing, note: str
) -> Citation:
    return Citation(claim=claim, status=status, fault=fault, truth=truth, note=note)


def _not_derivable(claim: Claim, why: str) -> Citation:
    return _citation(claim, "not derivable", "", Missing(reason=why), "")


# --- agreement -----------------------------------------------------------------------------------
def _intervals(claim: Claim) -> list[tuple[float, float]]:
    """Return what the printed digits stand for, in the dimension's base unit."""
    found: list[tuple[float, float]] = []
    for scale in claim.scales:
        low, high = claim.low * scale, claim.high * scale
        slack = _SLACK * max(abs(low), abs(high))
        found.append((low - slack, high + slack))
    return found


def _agrees(claim: Claim, value: Value, factor: float = 1.0) -> bool:
    return any(
        value.low <= high * factor and low * factor <= value.high for low, high in _intervals(claim)
    )


def _hits(claim: Claim, index: Index) -> list[Hit]:
    return [
        hit for low, high in _intervals(claim) for hit in index.between(claim.dimension, low, high)
    ]


def _fits_estimator(label: Label, subject: Subject, value: Value) -> bool:
    """Whether the text names this estimator or none that it could be confused with."""
    if not label.counts_rightly(subject, value):
        return False
    named = label.estimators & _CONFUSABLE
    if subject.sort not in ("samples", "kernel") or not named:
        return True
    return estimator_of(value) in named or estimator_of(value) not in _CONFUSABLE


def _fits_part(label: Label, subject: Subject) -> bool:
    """Whether the text names no part of the chip, or one that the counter is about."""
    if subject.sort != "metric" or not label.parts or label.parts & subject.parts:
        return True
    return any(name in subject.name for name in label.names)


def _supported(label: Label, index: Index) -> tuple[Derived, str] | None:
    claim = label.claim
    hits = _hits(claim, index)
    hits += [
        Hit(subject, value)
        for _, subject in label.candidates(index)
        for value in subject.of(claim.dimension)
        if value.low < value.high and _agrees(claim, value)
    ]
    best = _best(label, hits)
    if best:
        return best.subject.derived(best.value), ""
    return _supported_without_unit(label, index)


def _supported_without_unit(label: Label, index: Index) -> tuple[Derived, str] | None:
    """A number of many digits that names its thing may leave its unit to the sentence."""
    claim = label.claim
    if claim.dimension != "number" or claim.digits <= _TELLING or not claim.text.count("."):
        return None
    found: list[Hit] = []
    for bond, subject in label.candidates(index):
        if bond.sure:
            for scale in (1e-6, 1e-3, 1.0, 1e-9):
                low, high = claim.low * scale, claim.high * scale
                found += [Hit(subject, v) for v in subject.of("time") if low <= v.value <= high]
    best = _best(label, found)
    return (best.subject.derived(best.value), "its unit is not printed") if best else None


def _best(label: Label, hits: Iterable[Hit]) -> Hit | None:
    """Return the agreeing value that the words name best; None where they name none."""
    best: tuple[float, Hit] | None = None
    for hit in hits:
        subject, value = hit
        bond = label.bond(subject)
        if not _fits_estimator(label, subject, value) or not _fits_part(label, subject):
            continue
        named = estimator_of(value) in label.estimators
        if not _enough(label.claim, bond, value, named=named):
            continue
        score = bond.score + named
        if best is None or score > best[0]:
            best = score, hit
    return best[1] if best else None


def _enough(claim: Claim, bond: Bond, value: Value, *, named: bool) -> bool:
    """Whether words and digits together make an agreement more than chance."""
    if bond.sure:
        return claim.digits > 1 or value.dimension == "number"
    if value.dimension == "number":
        # Counts are small and many; but a text rarely names what it counts the samples of.
        return named and ((bond.score >= 1 and claim.digits > _TELLING) or claim.digits == 2)
    if bond.touches or (named and bond.loose):
        return claim.digits >= _TELLING
    return bond.loose and claim.digits >= _IDENTIFYING


def _fraction(label: Label, index: Index) -> tuple[Derived, str] | None:
    """ "47/50" where one file counts both, or gives their quotient."""
    claim = label.claim
    if not claim.of:
        return None
    wholes = {hit.subject.place for hit in index.between("number", claim.of, claim.of)}
    for hit in index.between("number", claim.value, claim.value):
        if hit.subject.place in wholes and label.bond(hit.subject).sure:
            return hit.subject.derived(hit.value), f"{claim.of:g} is there too"
    return None


def _supported_ratio(label: Label, index: Index) -> tuple[Derived, str] | None:
    claim = label.claim
    if not asks_for_ratio(label) or claim.digits < 2:
        return None
    for derived, sure, meant in ratios(label, index):
        if meant and (sure or claim.digits >= _TELLING) and _is_ratio(claim, derived):
            return derived, ""
    return None


def _is_ratio(claim: Claim, derived: Derived) -> bool:
    """Whether a ratio, or a change of either direction if no sign is printed, is the claim's."""
    low, high = _intervals(claim)[0]
    signed = claim.text.startswith(("-", "−", "+"))
    return low <= (derived.value if signed else abs(derived.value)) <= high


# --- contradiction -------------------------------------------------------------------------------
_Wrong = tuple[Fault, Derived | Missing, str]


def _of_another_part(label: Label, index: Index) -> _Wrong | None:
    """The value agrees with a counter, but the text says that it is of another part of the chip."""
    claim = label.claim
    if claim.digits < _TELLING or claim.dimension not in ("percent", "rate"):
        return None
    hits = [h for h in _hits(claim, index) if not _fits_part(label, h.subject)]
    bonds = [(label.bond(h.subject), h) for h in hits]
    named = [
        (bond.score, h)
        for bond, h in bonds
        if bond.sure or (bond.touches and len(h.subject.words & label.words) > 1)
    ]
    if not named:
        return None
    hit = max(named, key=lambda each: each[0])[1]
    part = ", ".join(sorted(label.parts)).upper()
    there = any(index.of_part(each, claim.dimension) for each in label.parts)
    note = f"this is {hit.subject.name}; " + (
        f"the counters of {part} have other values"
        if there
        else f"the evidence has no counter of {part} in {BASE[claim.dimension]}"
    )
    return "wrong label", hit.subject.derived(hit.value), note


def _contradicted(label: Label, index: Index) -> _Wrong | None:
    # Only the words beside a number accuse it; a sentence speaks of more than one thing.
    label = Label(structs.replace(label.claim, near=label.claim.close), label.text)
    named = [subject for bond, subject in label.candidates(index) if bond.sure]
    named = [s for s in named if label.tells_apart(s, index) and label.covered_by(s)]
    named = [s for s in named if _fits_part(label, s)]
    hits = [Hit(s, v) for s in named for v in s.values if _is_named(label, s, v)]
    same = [hit for hit in hits if hit.value.dimension == label.claim.dimension]
    other = [hit for hit in hits if hit.value.dimension != label.claim.dimension]
    if not same or label.claim.digits >= _IDENTIFYING:
        wrong = _another_dimension(label, other)
        if wrong or not same:
            return wrong
    return (
        _another_estimator(label, named)
        or _another_unit(label, same)
        or _another_place(label, named, index)
        or _another_value(label.claim, [hit.subject.derived(hit.value) for hit in same])
    )


def _is_named(label: Label, subject: Subject, value: Value) -> bool:
    """Whether the text surely speaks of this value of a subject."""
    if subject.sort in ("samples", "kernel"):
        return estimator_of(value) in label.estimators and label.counts_rightly(subject, value)
    if subject.sort == "metric":
        # A profile has hundreds of counters; two digits name none of them.
        return label.claim.digits >= _TELLING
    if subject.sort == "table":
        return bool({"total", "share"} & {estimator_of(value)}) and "total" in label.estimators
    if subject.sort == "cell":
        words = {"ratio": {"speedup"}, "time": {"median", "mean", "take", "latency", "baseline"}}
        return bool(words.get(value.dimension, set[str]()) & label.words)
    return True


def _another_estimator(label: Label, named: list[Subject]) -> _Wrong | None:
    claim = label.claim
    if claim.digits < _TELLING:
        return None
    for subject in named:
        for value in subject.of(claim.dimension):
            if estimator_of(value) not in _CONFUSABLE or not _agrees(claim, value):
                continue
            said = ", ".join(sorted(label.estimators & _CONFUSABLE)) or "value"
            said += " without warm-up" if label.text.without_warm_up else ""
            note = f"this is the {value.estimator}, not the {said}"
            return "wrong label", subject.derived(value), note
    return None


def _another_unit(label: Label, hits: list[Hit]) -> _Wrong | None:
    claim = label.claim
    if claim.digits < _TELLING:
        return None
    for factor in _FACTORS:
        for subject, value in hits:
            if _agrees(claim, value, factor):
                note = f"the digits agree after a factor of {factor:g}"
                return "wrong unit", subject.derived(value), note
    return None


def _another_dimension(label: Label, hits: list[Hit]) -> _Wrong | None:
    """The thing has these digits, but they measure something else."""
    claim = label.claim
    if claim.digits < _TELLING or claim.dimension == "number":
        return None
    for subject, value in hits:
        if value.dimension == "number":  # its unit is not known, so it contradicts none
            continue
        scales = (1.0, 1e-3, 1e-6, 1e-9) if value.dimension == "time" else (1.0, 1e9, 1e12)
        if any(claim.low * s <= value.value <= claim.high * s for s in scales):
            what = BASE.get(value.dimension) or "a plain number"
            note = f"the digits agree, but the evidence has them in {what}"
            return "wrong unit", subject.derived(value), note
    return None


def _another_place(label: Label, named: list[Subject], index: Index) -> _Wrong | None:
    """The value is that of the same thing in another file."""
    claim = label.claim
    if claim.digits < _TELLING:
        return None
    for subject in named:
        for other in index.alike.get((subject.sort, subject.name), []):
            for value in other.of(claim.dimension):
                if _is_named(label, subject, value) and _agrees(claim, value):
                    note = f"this is of {other.place}, not of {subject.place}"
                    return "wrong label", other.derived(value), note
    return None


def _another_value(claim: Claim, truths: list[Derived]) -> _Wrong | None:
    if claim.digits < 2:
        return None
    own = [claim.value * scale for scale in claim.scales]
    distances = [(min(abs(t.value - each) for each in own), t) for t in truths]
    distance, nearest = min(distances, key=lambda each: each[0])
    if claim.relation == "~" and distance <= _ABOUT * abs(nearest.value):
        return None
    return "wrong value", nearest, _others(nearest, truths)


def _others(nearest: Derived, truths: list[Derived], *, first: bool = False) -> str:
    """Return the same thing by other estimators, so that nobody has to guess which was meant."""
    same = [t for t in truths if t.label == nearest.label and t.place == nearest.place]
    told = [
        f"{show_derived(t)} is the {t.estimator}"
        for t in same
        if (first or t is not nearest) and not t.estimator.startswith("ratio by total")
    ]
    return "; ".join(told[:3])


def _contradicted_ratio(label: Label, index: Index) -> _Wrong | None:
    """No ratio of what the text surely names is the printed one."""
    claim = label.claim
    trivial = claim.low <= 1 <= claim.high
    if claim.dimension != "ratio" or claim.digits < _TELLING or trivial:
        return None
    if not asks_for_ratio(label):
        return None
    found = [ratio for ratio in ratios(label, index) if ratio.sure]
    meant = [ratio.derived for ratio in found if ratio.meant]
    if not meant:
        return None
    told = _others(min(meant, key=lambda each: abs(each.value - claim.value)), meant, first=True)
    for ratio in found:
        if not ratio.meant and _is_ratio(claim, ratio.derived):
            note = f"this is the {ratio.derived.estimator}, which the text does not claim; {told}"
            return "wrong label", ratio.derived, note
    return _another_value(claim, meant)
