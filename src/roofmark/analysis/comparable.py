"""Comparable: in what two runs differ, field by field, and what of it voids a comparison.

In: a verdict, its environment and its study, as `Conditions`; or two of those. Out: `Difference`s.
Conditions are words, so that they can be kept beside a bundle's digest and compared a year later.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from roofmark.analysis.verdict import Difference, Verdict
from roofmark.evidence import Environment
from roofmark.records import Missing, Record, digest
from roofmark.study import Device, Study

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
# What two commits may differ in and still be compared: a title may name the commit, the margin is
# the first side's, another baseline takes the speed-ups alone, and the rest is told apart by cell.
COMMITS_MAY_DIFFER = ("study", "margin", "baseline", "workloads")
# Chosen: probes of one idle machine agree to 1 or 2 %; more says that the machine was not the same.
CEILINGS_AGREE = 0.05
UNKNOWN = "unknown: "


class Conditions(Record):
    """What a run's numbers depend on.

    definition: digest. files: path -> sha256 of every source. references: the paths that say what
    is right. ceilings: quantity and size -> measured value, in its base unit.
    """

    question: dict[str, str]
    workloads: tuple[str, ...]
    definition: str | Missing
    files: dict[str, str]
    references: tuple[str, ...]
    model: dict[str, str]
    circumstances: dict[str, str]
    ceilings: dict[str, float]


def conditions_of(
    verdict: Verdict, environment: Environment, study: Study | None = None
) -> Conditions:
    """Return the conditions of one run; without its study, sources and definition are unknown."""
    unknown = Missing(reason="the study is not at hand")
    return Conditions(
        question={name: str(getattr(verdict, name)) for name in QUESTION},
        workloads=tuple(sorted({cell.workload for cell in verdict.cells})),
        definition=digest(study.definition) if study else unknown,
        files=study.files if study else {},
        references=tuple(sorted({r.partition("::")[0] for r in study.references} if study else ())),
        model=_model(verdict.device, environment),
        circumstances=_circumstances(environment),
        ceilings={
            each.quantity if isinstance(each.size, Missing) else f"{each.quantity} {each.size}": (
                each.value
            )
            for each in environment.ceilings
            if each.measured
        },
    )


def find_differences(
    a: Conditions, b: Conditions, *, commits: bool = False
) -> Iterator[Difference]:
    """Yield every field in which two runs differ.

    commits: the sides may be two versions of the sources. Otherwise the runs are to answer one
    question, and whatever changes it voids the comparison.
    """
    may_differ = COMMITS_MAY_DIFFER if commits else ()
    for name, mend in QUESTION.items():
        if a.question[name] != b.question[name]:
            yield _difference(name, a.question, b.question, mend if name not in may_differ else "")
    yield from _workloads(a, b, voids="workloads" not in may_differ)
    yield from _definitions(a, b)
    yield from _files(a, b, commits=commits)
    yield from _models(a.model, b.model)
    yield from _shown(a.circumstances, b.circumstances)
    for name in sorted(a.ceilings.keys() & b.ceilings.keys()):
        if not 1 - CEILINGS_AGREE < a.ceilings[name] / b.ceilings[name] < 1 + CEILINGS_AGREE:
            mine, theirs = ({f"ceilings.{name}": f"{s.ceilings[name]:.3g}"} for s in (a, b))
            yield _difference(f"ceilings.{name}", mine, theirs)


def _difference(
    field: str, mine: Mapping[str, str], theirs: Mapping[str, str], mend: str = ""
) -> Difference:
    """Return the difference in one field; it voids where there is something to mend."""
    return Difference(
        field=field,
        original=mine.get(field, "absent"),
        again=theirs.get(field, "absent"),
        voids=bool(mend),
        mend=mend,
    )


def _workloads(a: Conditions, b: Conditions, *, voids: bool) -> Iterator[Difference]:
    mine, theirs = set(a.workloads), set(b.workloads)
    if mine != theirs:
        yield Difference(
            field="workloads",
            original=", ".join(sorted(mine - theirs)) or "none of its own",
            again=", ".join(sorted(theirs - mine)) or "none of its own",
            voids=voids or not mine & theirs,
            mend="Measure the same workloads; a mean over others is another number.",
        )


def _definitions(a: Conditions, b: Conditions) -> Iterator[Difference]:
    """Two studies of one name can still ask about different operators."""
    known = isinstance(a.definition, str) and isinstance(b.definition, str)
    if known and a.definition != b.definition:
        yield Difference(
            field="definition",
            original=str(a.definition)[:12],
            again=str(b.definition)[:12],
            voids=True,
            mend="Take the definition of the original's study.json.",
        )


def _files(a: Conditions, b: Conditions, *, commits: bool) -> Iterator[Difference]:
    if isinstance(a.definition, Missing) or isinstance(b.definition, Missing):
        return
    for path in sorted(a.files.keys() | b.files.keys()):
        mine, theirs = a.files.get(path, "absent")[:12], b.files.get(path, "absent")[:12]
        if mine != theirs:
            yield Difference(
                field=f"files.{path}",
                original=mine,
                again=theirs,
                voids=not commits or path in a.references,
                mend=""
                if commits and path not in a.references
                else "Take the sources of the original; they are in its bundle.",
            )


def models(device: Device, a: Environment, b: Environment) -> Iterator[Difference]:
    """Yield what makes the devices of two runs two models; an unread field voids nothing."""
    yield from _models(_model(device, a), _model(device, b))


def circumstances(a: Environment, b: Environment) -> Iterator[Difference]:
    """Yield what a speed-up may depend on without being another question."""
    yield from _shown(_circumstances(a), _circumstances(b))


def _shown(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    for field in dict.fromkeys((*a, *b)):
        if a.get(field, "absent") != b.get(field, "absent"):
            yield _difference(field, a, b)


def _model(device: Device, environment: Environment) -> dict[str, str]:
    return {field: _look_up(environment, field) for field in MODEL[device]}


def _models(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    if a.keys() != b.keys():
        return  # A CPU and a GPU: the question's `device` says so already.
    for field, mine in a.items():
        theirs = b[field]
        if mine != theirs:
            yield Difference(
                field=field,
                original=mine,
                again=theirs,
                voids=not any(words.startswith(UNKNOWN) for words in (mine, theirs)),
                mend="Run again on the original's device model.",
            )


def _circumstances(environment: Environment) -> dict[str, str]:
    found = {field: _look_up(environment, field) for field in SHOWN}
    for name in SHOWN_MAPS:
        values: Mapping[str, Any] = getattr(environment, name)
        found |= {f"{name}.{key}": _words(values[key]) for key in sorted(values)}
    return found


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
