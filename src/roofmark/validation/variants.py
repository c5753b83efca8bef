"""Weights, params, preparation, exact references, order and contrasts: does one fit the other?

In: a study whose fields have their types. Out: problems. Shapes and values are looked at in
tensors.py, whether functions are in their files in sources.py.
"""

import keyword
import re
from collections.abc import Iterator

from roofmark.codes import problem
from roofmark.errors import Problem
from roofmark.expressions import evaluate
from roofmark.study import Solution, Study
from roofmark.validation.places import Places
from roofmark.validation.question import binds_axes, solution_place

_PYTHON_ENTRY = re.compile(r"[^:]+\.py::[A-Za-z_]\w*")


def find_variant_problems(study: Study, places: Places) -> Iterator[Problem]:
    """Yield everything that is wrong with what makes one solution a variant of another."""
    yield from _weights(study, places)
    for number, solution in enumerate(study.solutions):
        where = solution_place(solution, number, places)
        yield from _solution(solution, study, where)
        yield from _order(solution, study, where)
    for number, control in enumerate(study.wrong):
        where = solution_place(control, number, places, "wrong")
        yield from _solution(control, study, where)
        if isinstance(control.after, str):
            fact, mend = "a wrong solution waits for another", "Leave `after` out."
            yield problem("RM132", fact, where, mend)
    yield from _contrasts(study, places)


def _weights(study: Study, places: Places) -> Iterator[Problem]:
    definition = study.definition
    where = places.of("definition.weights", "Definition.weights", "Definition")
    for name in definition.weights:
        if name not in definition.inputs:
            mend = f"Inputs: {', '.join(definition.inputs) or 'none'}."
            yield problem("RM116", f"weight {name!r} is no input", where, mend)
        if name in definition.mutable:
            mend = "What changes from call to call is no weight."
            yield problem("RM116", f"weight {name!r} is mutable", where, mend)
    if definition.weights and not set(definition.inputs) - set(definition.weights):
        mend = "Leave out those that change: else a result could be kept from call to call."
        yield problem("RM116", "every input is a weight", where, mend)


def _solution(solution: Solution, study: Study, where: str) -> Iterator[Problem]:
    definition = study.definition
    taken = {*definition.inputs, *definition.scalars, *definition.outputs}
    for name in solution.params:
        if not name.isidentifier() or keyword.iskeyword(name) or name in taken:
            mend = "Give it a name of its own, of letters and digits."
            yield problem("RM113", f"param {name!r}", where, mend)
    for what in ("prepare", "exact"):
        entry = getattr(solution, what)
        if isinstance(entry, str) and not _PYTHON_ENTRY.fullmatch(entry):
            mend = f'Write {what}="file.py::function".'
            yield problem("RM117", f"{what} {entry!r}", where, mend)
    yield from _exact(solution, study, where)
    if isinstance(solution.prepare, str) and not definition.weights:
        mend = "Name the inputs that stay the same: Definition(weights=...)."
        yield problem("RM116", "it prepares weights and there are none", where, mend)
    if isinstance(solution.traffic, str):
        yield from _traffic(solution.traffic, study, where)


def _exact(solution: Solution, study: Study, where: str) -> Iterator[Problem]:
    """Check that no solution's own code would say what is right."""
    path = solution.exact.partition("::")[0] if isinstance(solution.exact, str) else ""
    owners = [s.name for s in (*study.solutions, *study.wrong) if path in s.files]
    if owners and path != study.definition.reference.partition("::")[0]:
        fact = f"exact is in {path!r}, a file of solution {owners[0]!r}"
        mend = "Move it to the definition's reference, or to a file of its own."
        yield problem("RM134", fact, where, mend)


def _traffic(traffic: str, study: Study, where: str) -> Iterator[Problem]:
    for workload in study.workloads:
        if not binds_axes(study, workload):
            continue
        try:
            value = evaluate(traffic, study.axes(workload))
        except ValueError as error:
            fact = f"traffic {traffic!r}: {error}"
        else:
            fact = "" if value > 0 else f"traffic {traffic!r} is {value}"
        if fact:
            mend = f"Axes: {', '.join(study.definition.axes) or 'none'}."
            yield problem("RM109", fact, f"{where}; workload {workload.id!r}", mend)
            return


def _order(solution: Solution, study: Study, where: str) -> Iterator[Problem]:
    """Check that a solution waits for one that runs wherever it does, and not for itself."""
    known = {each.name: each for each in study.solutions}
    seen: list[str] = [solution.name]
    while isinstance(known[seen[-1]].after, str):
        name = str(known[seen[-1]].after)
        if name not in known:
            mend = f"Solutions: {', '.join(known)}."
            yield problem("RM132", f"it comes after {name!r}, which is no solution", where, mend)
            return
        if name in seen:
            shown = " after ".join([*seen, name])
            yield problem("RM132", f"it waits for itself: {shown}", where, "Leave one `after` out.")
            return
        seen.append(name)
    if len(seen) > 1 and not set(solution.runs_on) <= set(known[seen[1]].runs_on):
        fact = f"it runs where {seen[1]!r}, for which it waits, does not"
        yield problem("RM132", fact, where, "Choose one that runs on the same devices.")


def _contrasts(study: Study, places: Places) -> Iterator[Problem]:
    known = [each.name for each in study.solutions]
    first: set[str] = set()
    for number, contrast in enumerate(study.contrasts):
        where = places.of(f"contrasts[{number}] {contrast.name!r}", "Study.contrasts", "Study")
        for name in (contrast.of, contrast.against):
            if name not in known:
                mend = f"Solutions: {', '.join(known)}."
                yield problem("RM133", f"{name!r} is no solution", where, mend)
        if contrast.of == contrast.against:
            yield problem("RM133", "it compares a solution with itself", where, "Name two.")
        if contrast.name in first:
            yield problem("RM104", f"two contrasts are {contrast.name!r}", where, "Rename one.")
        first.add(contrast.name)
