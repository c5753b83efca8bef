"""Narrowing: from a study and a command's options to the study that is measured.

In: a study and `RunOptions`. Out: a study that says exactly what is asked, so that the options need
to be kept nowhere else.
"""

import fnmatch

import msgspec

from roofmark.codes import problem
from roofmark.errors import Problem, StudyError
from roofmark.options import RunOptions
from roofmark.study import Protocol, Study, Workload


def narrow_study(study: Study, options: RunOptions) -> Study:
    """Return the study that will be measured: what the options leave of it, written down.

    Raises: StudyError RM130 for a filter that matches nothing, others for options of no study.
    """
    names = _named(study, options)
    changes = {
        "tier": options.tier,
        "cache": options.cache,
        "processes": options.processes,
        "blocks": options.blocks,
        "time_limit": options.time_limit,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    protocol: Protocol = msgspec.structs.replace(study.protocol, **given)
    asked = msgspec.structs.replace(
        study,
        protocol=protocol,
        workloads=select_workloads(study.workloads, options.workloads),
        solutions=tuple(s for s in study.solutions if s.name in names),
        contrasts=tuple(c for c in study.contrasts if {c.of, c.against} <= names),
    )
    _check_options(asked, options)
    return asked


def _named(study: Study, options: RunOptions) -> set[str]:
    """Return the solutions asked for, the baseline, and all that they wait for; else everybody."""
    known = {solution.name: solution for solution in study.solutions}
    if not options.solutions:
        return set(known)
    unknown = set(options.solutions) - set(known)
    if unknown:
        raise no_match("solution", sorted(unknown), list(known))
    names: set[str] = set()
    waiting = [study.baseline, *options.solutions]
    while waiting:
        name = waiting.pop()
        after = known[name].after
        if name not in names and isinstance(after, str):
            waiting.append(after)
        names.add(name)
    return names


def _check_options(asked: Study, options: RunOptions) -> None:
    """Refuse options that no study.json could hold or no run could follow. Raises: StudyError."""
    from roofmark.validation import find_problems

    found = [each for each in find_problems(asked) if each.where.startswith("protocol.")]
    # A time limit for one run may well be below the study's limit for one visit.
    found = [each for each in found if not each.where.startswith("protocol.call_limit")]
    if not options.confirm and all(workload.held_out for workload in asked.workloads):
        mend = "Add --confirm, or choose workloads that are not held out."
        found.append(problem("RM106", "all chosen workloads are held out", "--workload", mend))
    if found:
        raise StudyError(*found)


def select_workloads(
    workloads: tuple[Workload, ...], patterns: tuple[str, ...]
) -> tuple[Workload, ...]:
    """Return the workloads that match; a pattern that matches nothing is an error, not a pass."""
    ids = [workload.id for workload in workloads]
    idle = [p for p in patterns if not fnmatch.filter(ids, p)]
    if idle:
        raise no_match("workload", idle, ids)
    if not patterns:
        return workloads
    return tuple(w for w in workloads if any(fnmatch.fnmatchcase(w.id, p) for p in patterns))


def no_match(kind: str, asked: list[str], known: list[str]) -> StudyError:
    """Return the error of filters that match nothing. kind: of what, as the option is called."""
    shown = ", ".join(known[:12]) + (f", ... ({len(known)} in all)" if len(known) > 12 else "")
    return StudyError(
        *(
            Problem(
                code="RM130",
                fact=f"no {kind} matches {each!r}",
                where=f"--{kind}",
                meaning="A filter that matches nothing would pass for a measurement.",
                mend=f"Known: {shown}",
            )
            for each in asked
        )
    )
