"""The engine: registers rules, finds them, feeds them facts by name, and collects findings.

In: functions decorated with `@rule`, found by scanning this package and by the entry points
`roofmark.rules`. Out: findings, in the order of codes and places. A rule that lacks a fact is
`unknown`, never silent. To keep a verdict readable, only firing findings name their place; silent
and unknown ones are told once per rule.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from inspect import getdoc, signature
from typing import Any, Literal

from msgspec import UnsetType

from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import FACTS
from roofmark.analysis.verdict import Finding
from roofmark.errors import Problem, StudyError
from roofmark.records import Missing
from roofmark.study import Device

Scope = Literal["cell", "series", "workload", "solution", "study", "bound", "output"]
Moves = Literal["", "undecided", "invalid"]
Subject = Literal["any", "kernels", "engines"]
ENTRY_POINT = "roofmark.rules"


class Note(str):
    """What a firing rule says when, here, it only informs."""

    __slots__ = ()


Answer = str | Missing
"""A sentence fires, an empty one is silent, Missing is unknown."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it is called, what it moves, what it is about, and its examples."""

    code: str
    title: str
    per: Scope
    moves: Moves
    ask: Callable[..., Answer]
    needs: tuple[str, ...]
    fires: Mapping[str, Any]
    silent: Mapping[str, Any]
    devices: tuple[Device, ...]
    subject: Subject
    documentation: str = field(repr=False)
    fleet: bool = False


_RULES: dict[str, Rule] = {}


def rule(
    code: str,
    title: str,
    *,
    per: Scope,
    moves: Moves,
    fires: Mapping[str, Any],
    silent: Mapping[str, Any],
    devices: tuple[Device, ...] = ("cpu", "cuda"),
    fleet: bool = False,
    subject: Subject = "any",
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Register a rule.

    per: "cell" (a solution or the twin against the baseline), "series" (also the baseline),
        "workload", "solution" (also controls) or "study"; "bound" rules are asked by bounds.py,
        "output" rules by degenerate.py, and are no findings of a study. moves: what a firing
        finding does; a rule that returns a `Note` only informs there. fires, silent: facts for
        which it does; run as tests. devices, subject: where it applies; elsewhere it is not asked.
        fleet: it is asked of runs over stations only.
    Raises: StudyError RM120 when a code is taken or a fact is not known.
    """

    def register(ask: Callable[..., Answer]) -> Callable[..., Answer]:
        needs = tuple(signature(ask).parameters)
        _check_rule(code, ask, needs)
        _RULES[code] = Rule(
            code,
            title,
            per,
            moves,
            ask,
            needs,
            fires,
            silent,
            devices,
            subject,
            getdoc(ask) or "",
            fleet,
        )
        return ask

    return register


def _check_rule(code: str, ask: Callable[..., Answer], needs: tuple[str, ...]) -> None:
    known = _RULES.get(code)
    fact = ""
    if known is not None and known.ask.__module__ != ask.__module__:
        fact = f"rule {code} is declared by {known.ask.__module__} and by {ask.__module__}"
    strange = [name for name in needs if name not in FACTS]
    if strange:
        fact = f"rule {code} needs {strange[0]!r}, which is no fact"
    if not getdoc(ask):
        fact = f"rule {code} has no docstring, so nothing could explain it"
    if fact:
        raise StudyError(
            Problem(
                code="RM120",
                fact=fact,
                where=ask.__module__,
                meaning="A rule that is not sound would judge nothing or judge wrongly.",
                mend=f"Known facts: {', '.join(sorted(FACTS))}.",
            )
        )


@cache
def loaded_plugins_cached() -> tuple[tuple[str, str], ...]:
    """Load every rule once; return (distribution, version) of those that are not ours."""
    package = importlib.import_module("roofmark.analysis.rules")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found: dict[str, str] = {}
    for point in sorted(entry_points(group=ENTRY_POINT), key=lambda p: p.name):
        point.load()
        name = point.dist.name if point.dist else point.name
        found[name] = point.dist.version if point.dist else "unknown"
    return tuple(sorted(found.items()))


def loaded_plugins() -> dict[str, str]:
    """Return distribution -> version of every plugin whose rules took part."""
    return dict(loaded_plugins_cached())


def all_rules() -> tuple[Rule, ...]:
    """Return every rule, by code."""
    loaded_plugins_cached()
    return tuple(_RULES[code] for code in sorted(_RULES))


def explain(code: str) -> str:
    """Return what `roofmark rules CODE` prints. Raises: StudyError RM121 for an unknown code."""
    found = {each.code: each for each in all_rules()}.get(code.upper())
    if found is None:
        raise StudyError(
            Problem(
                code="RM121",
                fact=f"there is no rule {code!r}",
                mend=f"Known rules: {', '.join(each.code for each in all_rules())}.",
            )
        )
    effect = f"makes the verdict {found.moves}" if found.moves else "informs"
    return f"{found.code}: {found.title} ({effect})\n\n{found.documentation}\n"


# --- asking --------------------------------------------------------------------------------------
def apply_rules(case: Case) -> tuple[Finding, ...]:
    """Return the findings of every rule on every place it is about."""
    facts: dict[tuple[str, Place], Any] = {}
    return tuple(
        finding
        for each in all_rules()
        if each.per not in ("bound", "output") and case.run.device in each.devices
        if case.stations or not each.fleet
        # A rule that could only be silent would change verdicts that were given before it was.
        if each.subject
        in ("any", "kernels" if isinstance(case.study.serving, UnsetType) else "engines")
        for finding in _ask_everywhere(each, case, facts)
    )


def _ask_everywhere(
    each: Rule, case: Case, facts: dict[tuple[str, Place], Any]
) -> Iterable[Finding]:
    answers = [(place, _ask(each, case, place, facts)) for place in places(each.per, case)]
    unknown = [(place, a.reason) for place, a in answers if isinstance(a, Missing)]
    firing = [(place, a) for place, a in answers if isinstance(a, str) and a]
    for place, sentence in firing:
        moves: Moves = "" if isinstance(sentence, Note) else each.moves
        yield _finding(each, "fires", place, str(sentence), moves, case)
    if unknown:
        yield _finding(each, "unknown", ("", ""), _tell(unknown, len(answers)), "", case)
    elif not firing:
        yield _finding(each, "silent", ("", ""), "", "", case)


def _ask(each: Rule, case: Case, place: Place, facts: dict[tuple[str, Place], Any]) -> Answer:
    needed: dict[str, Any] = {}
    for name in each.needs:
        key = (name, place)
        if key not in facts:
            facts[key] = FACTS[name](case, place)
        if isinstance(facts[key], Missing):
            return facts[key]
        needed[name] = facts[key]
    return each.ask(**needed)


def _tell(unknown: list[tuple[Place, str]], asked: int) -> str:
    reasons = sorted({reason for _, reason in unknown})
    more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
    return f"not known for {len(unknown)} of {asked}: {reasons[0]}{more}"


def _finding(
    each: Rule, state: Any, place: Place, message: str, moves: Moves, case: Case
) -> Finding:
    workload, solution = place
    return Finding(
        code=each.code,
        title=each.title,
        state=state,
        solution=solution,
        workload=workload,
        message=message,
        moves=moves,
        accepted=each.code.startswith("RM3") and each.code in case.study.accept,
    )


def places(scope: Scope, case: Case) -> list[Place]:
    """Return the (workload, solution) places that a scope ranges over; "" stands for all."""
    scene = case.scene
    if scope == "cell":
        return list(case.comparisons)
    if scope == "series":
        names = (case.study.baseline, *scene.names)
        return [(w.id, n) for w in scene.workloads for n in names if (w.id, n) in scene.series]
    if scope == "workload":
        return [(workload.id, "") for workload in scene.workloads]
    if scope == "solution":
        return [("", name) for name in dict.fromkeys(place[1] for place in scene.series)]
    return [("", "")]
