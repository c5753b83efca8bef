"""Pairing: which solutions of two revisions are measured against each other, and what is not.

In: a study as it was and as it is, both loaded. Out: a `Pairing`. What is asked must be the same on
both sides, or a ratio between them says nothing about the code; a solution whose program is the
same has nothing to be measured.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from roofmark.analysis.gated import matches
from roofmark.analysis.paired_gate import NOW, WAS, name_at
from roofmark.analysis.verdict import Difference
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.loading import LoadedStudy
from roofmark.looping.change import fingerprint
from roofmark.looping.duel import Contender
from roofmark.looping.tries import Version
from roofmark.narrowing import no_match
from roofmark.records import Record, digest, encode
from roofmark.study import Contrast, Definition, Protocol, Solution, Study

SameBinary = Callable[[str], bool]
"""Whether both sides of a solution are built to the same machine code."""

_CONTRACT = (
    "It is another question now: commit the contract first, and gate against that commit, "
    "or pin a bundle of the new study."
)
# Chosen: a sentence; the whole value stands in both study.py.
_SHOWN = 80


@dataclass(frozen=True)
class Pairing:
    """pairs: solutions that changed. unchanged: name -> what of it is the same."""

    pairs: tuple[str, ...]
    unchanged: dict[str, str]
    only_was: tuple[str, ...]
    only_now: tuple[str, ...]
    differences: tuple[Difference, ...]


def pair_studies(
    was: LoadedStudy,
    now: LoadedStudy,
    same_binary: SameBinary,
    *,
    solutions: tuple[str, ...] = (),
    unchanged_too: bool = False,
) -> Pairing:
    """Return what is to be measured.

    solutions: shell patterns; all if none. unchanged_too: measure also what did not change.
    Raises: StudyError RM130 for a pattern that matches nothing, BundleError RM435 for each thing
        that makes the two sides answer different questions.
    """
    before, after = ([s.name for s in side.study.solutions] for side in (was, now))
    known = list(dict.fromkeys((*after, *before)))
    idle = [p for p in solutions if not any(matches(name, (p,)) for name in known)]
    if idle:
        raise no_match("solution", idle, known)
    chosen = [name for name in known if matches(name, solutions)]
    differences = tuple(_differences(was, now))
    _check_same_question(differences)
    both = [name for name in chosen if name in before and name in after]
    same = {name: how for name in both if (how := _same_program(was, now, name, same_binary))}
    return Pairing(
        pairs=tuple(name for name in both if unchanged_too or name not in same),
        unchanged=same,
        only_was=(*_missing(chosen, after, "solution"), *_alone(was, now)),
        only_now=(*_missing(chosen, before, "solution"), *_alone(now, was)),
        differences=tuple(d for d in differences if not d.voids),
    )


def paired_study(
    was: LoadedStudy, now: LoadedStudy, pairs: tuple[str, ...], *, title: str, ask: Protocol
) -> tuple[Study, list[Contender]]:
    """Return the study of both sides, and the contenders that it is laid out with.

    Its baseline, the solution with an A/A twin, is the study's own where that changed.
    """
    first = now.study.baseline if now.study.baseline in pairs else pairs[0]
    there = {workload.id for workload in was.study.workloads}
    study = replace(
        now.study,
        title=title,
        workloads=tuple(w for w in now.study.workloads if w.id in there),
        baseline=name_at(first, WAS),
        contrasts=tuple(
            Contrast(name=name, of=name_at(name, NOW), against=name_at(name, WAS)) for name in pairs
        ),
        accept=tuple(code for code in now.study.accept if code in was.study.accept),
        protocol=ask,
    )
    sides = ((was, WAS), (now, NOW))
    return study, [_contender(side, name, label) for name in pairs for side, label in sides]


def _contender(side: LoadedStudy, name: str, label: str) -> Contender:
    solution = side.study.solution(name)
    files = {path: side.contents[path] for path in solution.files}
    return Contender(name_at(name, label), solution, files, home=label)


# --- is there anything to measure ----------------------------------------------------------------
def _same_program(was: LoadedStudy, now: LoadedStudy, name: str, same_binary: SameBinary) -> str:
    """Return what is the same about a solution's program, or nothing."""
    mine, theirs = (replace(s.study.solution(name), after=UNSET) for s in (was, now))
    texts = [_texts(side, solution) for side, solution in ((was, mine), (now, theirs))]
    if mine == theirs and _program(texts[0]) == _program(texts[1]):
        return "the same source"
    compiled = mine.language != "python" and theirs.language != "python"
    alike = _interpreted_part(mine, texts[0]) == _interpreted_part(theirs, texts[1])
    if compiled and alike and same_binary(name):
        return "the same machine code"
    return ""


def _program(texts: dict[str, str]) -> str:
    return fingerprint(Version(files=texts))


def _texts(side: LoadedStudy, solution: Solution) -> dict[str, str]:
    return {path: _text(side.contents[path]) for path in solution.files}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _interpreted_part(solution: Solution, texts: Mapping[str, str]) -> object:
    """Return what decides a compiled solution's work beside its library."""
    python = {path: text for path, text in texts.items() if path.endswith(".py")}
    fields = ("function", "devices", "requires", "params", "prepare", "exact", "traffic")
    return _program(python), [getattr(solution, name) for name in fields]


def _missing(chosen: list[str], there: list[str], kind: str) -> Iterator[str]:
    return (f"{kind} {name}" for name in chosen if name not in there)


def _alone(side: LoadedStudy, other: LoadedStudy) -> Iterator[str]:
    there = [workload.id for workload in other.study.workloads]
    return _missing([workload.id for workload in side.study.workloads], there, "workload")


# --- is it the same question ---------------------------------------------------------------------
def _check_same_question(differences: tuple[Difference, ...]) -> None:
    void = [each for each in differences if each.voids]
    if void:
        raise BundleError(
            *(
                problem("RM435", f"{d.field} was {d.original}, is {d.again}", "the study", d.mend)
                for d in void
            )
        )


def _differences(was: LoadedStudy, now: LoadedStudy) -> Iterator[Difference]:
    for field in Definition.__struct_fields__:
        yield from _changed(f"definition.{field}", was.study.definition, now.study.definition)
    for path in _references(was.study, now.study):
        mine, theirs = (_essence(path, side.contents.get(path)) for side in (was, now))
        if mine != theirs:
            yield _difference(f"reference {path}", mine[:12], theirs[:12], voids=True)
    before = {workload.id: workload for workload in was.study.workloads}
    common = [w for w in now.study.workloads if w.id in before]
    for workload in common:
        if digest(before[workload.id]) != digest(workload):
            values = (_shown(before[workload.id]), _shown(workload))
            yield _difference(f"workload {workload.id}", *values, voids=True)
    if not common:
        sides = (", ".join(w.id for w in side.study.workloads)[:_SHOWN] for side in (was, now))
        yield _difference("every workload", *sides, voids=True)
    for field in Protocol.__struct_fields__:
        name = f"protocol.{field}"
        yield from _changed(name, was.study.protocol, now.study.protocol, voids=False)
    if was.study.accept != now.study.accept:
        sides = (", ".join(side.study.accept) or "nothing" for side in (was, now))
        yield _difference("accept", *sides, voids=False)


def _changed(
    name: str, mine: Record, theirs: Record, *, voids: bool = True
) -> Iterator[Difference]:
    field = name.partition(".")[2]
    before, after = getattr(mine, field), getattr(theirs, field)
    # Compared as encoded: the order of inputs and outputs is part of the contract.
    if encode(before) != encode(after):
        yield _difference(name, _shown(before), _shown(after), voids=voids)


def _references(was: Study, now: Study) -> list[str]:
    """Return the files that say what is right on both sides; another path is told apart above."""
    entries = dict.fromkeys((*was.references, *now.references))
    both = [e for e in entries if e in was.references and e in now.references]
    return list(dict.fromkeys(entry.partition("::")[0] for entry in both))


def _essence(path: str, data: bytes | None) -> str:
    """Return a digest of a reference that another comment does not change."""
    if data is None:
        return "absent"
    try:
        return digest(ast.dump(ast.parse(data)).encode()) if path.endswith(".py") else digest(data)
    except (SyntaxError, ValueError, RecursionError):
        return digest(data)


def _shown(value: object) -> str:
    text = encode(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _difference(field: str, mine: str, theirs: str, *, voids: bool) -> Difference:
    mend = _CONTRACT if voids else ""
    return Difference(field=field, original=mine, again=theirs, voids=voids, mend=mend)
