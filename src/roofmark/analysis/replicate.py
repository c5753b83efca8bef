"""Replicate: does a second run say what the first one said?

In: two verdicts and their environments (and their studies, where at hand). Out: `Replication`.
A run on another device model, tier, cache state, or of another question is not a replication that
failed but none at all: `not comparable`, with the way to make it one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from roofmark.analysis.verdict import (
    Decision,
    Difference,
    Overall,
    ReplicatedSolution,
    Replication,
    Reproduction,
    Verdict,
)
from roofmark.evidence import Environment
from roofmark.records import Missing, digest
from roofmark.study import Study

DECIDED: tuple[Decision, ...] = ("faster", "slower", "same", "invalid")

# Field of a verdict -> what to do when it differs. Each of them changes the question.
QUESTION: dict[str, str] = {
    "study": "Run the same study; `roofmark run` takes the study.json of a bundle.",
    "device": "Run again on the original's kind of device.",
    "tier": "Set Protocol(tier=...) to the original's; tiers are never compared.",
    "cache": "Set Protocol(cache=...) to the original's.",
    "baseline": "Name the original's baseline; a speed-up belongs to what it is over.",
    "margin": "Judge both with one margin; the word `same` means another size otherwise.",
}
# What a speed-up may depend on without being another question; shown, never void.
SHOWN = ("os", "python", "cpu.governor", "gpu.driver", "gpu.power_limit", "gpu.max_clock")
SHOWN_MAPS = ("packages", "tools", "variables")
# What makes a device another device model. Source: one marketing name covers several memory sizes
# and multiprocessor counts (A100 40/80 GB, H100 PCIe/SXM), and a MIG slice is a part of one.
MODEL: dict[str, tuple[str, ...]] = {
    "cuda": ("gpu.name", "gpu.compute_capability", "gpu.multiprocessors", "gpu.memory", "gpu.mig"),
    "cpu": ("cpu.model", "cpu.cores", "cpu.isa"),
}


UNKNOWN = "unknown: "


def replicate(
    original: Verdict,
    again: Verdict,
    original_environment: Environment,
    again_environment: Environment,
    *,
    studies: tuple[Study, Study] | None = None,
) -> Replication:
    """Compare two verdicts, solution by solution, and everything that differs between the runs."""
    differences = (
        *_questions(original, again, studies),
        *models(original, original_environment, again_environment),
        *circumstances(original_environment, again_environment),
    )
    void = any(difference.voids for difference in differences)
    solutions = tuple(_solutions(original, again, void=void))
    return Replication(
        original=original.bundle,
        again=again.bundle,
        outcome="not comparable" if void else _together([s.outcome for s in solutions]),
        solutions=solutions,
        differences=differences,
    )


def _together(outcomes: list[Reproduction]) -> Reproduction:
    """One contradiction is enough; one open question leaves the whole open."""
    for outcome in ("not reproduced", "undecided", "not comparable", "reproduced"):
        if outcome in outcomes:
            return outcome
    return "undecided"


# --- solutions -----------------------------------------------------------------------------------
def _solutions(original: Verdict, again: Verdict, *, void: bool) -> Iterator[ReplicatedSolution]:
    mine = {o.solution: o for o in original.overall if o.role == "solution"}
    theirs = {o.solution: o for o in again.overall if o.role == "solution"}
    for name in dict.fromkeys((*mine, *theirs)):
        a, b = mine.get(name), theirs.get(name)
        yield ReplicatedSolution(
            solution=name,
            outcome="not comparable" if void else _direction(a, b),
            original=a.decision if a else Missing(reason="not in the original"),
            again=b.decision if b else Missing(reason="not in the second run"),
            original_speedup=a.speedup if a else Missing(reason="not in the original"),
            again_speedup=b.speedup if b else Missing(reason="not in the second run"),
            size=_size(a, b),
        )


def _direction(a: Overall | None, b: Overall | None) -> Reproduction:
    if a is None or b is None:
        return "not comparable"
    if a.decision not in DECIDED or b.decision not in DECIDED:
        return "undecided"
    return "reproduced" if a.decision == b.decision else "not reproduced"


def _size(a: Overall | None, b: Overall | None) -> Literal["agrees", "differs"] | Missing:
    if a is None or b is None:
        return Missing(reason="one run lacks this solution")
    mine, theirs = a.speedup, b.speedup
    if isinstance(mine, Missing) or isinstance(theirs, Missing):
        return Missing(reason="one run has no speed-up over all workloads")
    overlap = mine.low <= theirs.high and theirs.low <= mine.high
    return "agrees" if overlap else "differs"


# --- differences ---------------------------------------------------------------------------------
def _questions(a: Verdict, b: Verdict, studies: tuple[Study, Study] | None) -> Iterator[Difference]:
    for name, mend in QUESTION.items():
        mine, theirs = str(getattr(a, name)), str(getattr(b, name))
        if mine != theirs:
            yield Difference(field=name, original=mine, again=theirs, voids=True, mend=mend)
    yield from _workloads(a, b)
    if studies:
        yield from _definitions(*studies)


def _workloads(a: Verdict, b: Verdict) -> Iterator[Difference]:
    mine, theirs = ({cell.workload for cell in verdict.cells} for verdict in (a, b))
    if mine != theirs:
        yield Difference(
            field="workloads",
            original=", ".join(sorted(mine - theirs)) or "none of its own",
            again=", ".join(sorted(theirs - mine)) or "none of its own",
            voids=True,
            mend="Measure the same workloads; a mean over others is another number.",
        )


def _definitions(a: Study, b: Study) -> Iterator[Difference]:
    """Two studies of one name can still ask about different operators or measure other sources."""
    if digest(a.definition) != digest(b.definition):
        yield Difference(
            field="definition",
            original=digest(a.definition)[:12],
            again=digest(b.definition)[:12],
            voids=True,
            mend="Take the definition of the original's study.json.",
        )
    for path in sorted(a.files.keys() | b.files.keys()):
        mine, theirs = a.files.get(path, "absent")[:12], b.files.get(path, "absent")[:12]
        if mine != theirs:
            yield Difference(
                field=f"files.{path}",
                original=mine,
                again=theirs,
                voids=True,
                mend="Take the sources of the original; they are in its bundle.",
            )


def models(verdict: Verdict, a: Environment, b: Environment) -> Iterator[Difference]:
    """Yield what makes the devices of two runs two models; an unread field voids nothing."""
    for field in MODEL[verdict.device]:
        mine, theirs = _look_up(a, field), _look_up(b, field)
        if mine != theirs:
            yield Difference(
                field=field,
                original=mine,
                again=theirs,
                voids=not any(words.startswith(UNKNOWN) for words in (mine, theirs)),
                mend="Run again on the original's device model.",
            )


def circumstances(a: Environment, b: Environment) -> Iterator[Difference]:
    """Yield what a speed-up may depend on without being another question."""
    pairs = {field: (_look_up(a, field), _look_up(b, field)) for field in SHOWN}
    for name in SHOWN_MAPS:
        mine: Mapping[str, Any] = getattr(a, name)
        theirs: Mapping[str, Any] = getattr(b, name)
        for key in sorted(mine.keys() | theirs.keys()):
            pairs[f"{name}.{key}"] = (
                _words(mine.get(key, "absent")),
                _words(theirs.get(key, "absent")),
            )
    for field, (original, again) in pairs.items():
        if original != again:
            yield Difference(field=field, original=original, again=again, voids=False)


def _look_up(environment: Environment, field: str) -> str:
    value: Any = environment
    for part in field.split("."):
        if isinstance(value, Missing):
            return _words(value)
        value = getattr(value, part)
    if field == "gpu.memory":
        # Drivers report the same memory with some megabytes more or less.
        return f"{round(value / 2**30)} GiB"
    return _words(value)


def _words(value: Any) -> str:
    if isinstance(value, Missing):
        return UNKNOWN + value.reason
    if isinstance(value, tuple):
        return " ".join(str(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
