"""Does a study of serving engines ask something that can be asked?

In: a study whose fields have their types and which says `serving`. Out: problems. Roles, names and
axes are looked at as in every study; a leg has no tensors and no reference.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import UnsetType

from roofmark.codes import problem
from roofmark.errors import Problem
from roofmark.expressions import evaluate
from roofmark.legs import Command, Engine, Pattern, Server, Treatment
from roofmark.serving import LOAD_AXES, load_of
from roofmark.study import SERVING_TIERS, Solution, Study
from roofmark.validation.places import Places
from roofmark.validation.question import find_common_problems, solution_place, workload_place
from roofmark.validation.sources import find_entry_problems

_ENTRY = re.compile(r"[^:]+\.py::[A-Za-z_][A-Za-z0-9_]*")
# Source: POSIX, "Environment Variables": no equals sign and no NUL in a name.
_VARIABLE = re.compile(r"[^=\0]+")


def find_serving_problems(
    study: Study, contents: Mapping[str, bytes], places: Places
) -> Iterator[Problem]:
    """Yield everything that is wrong with a study of engines."""
    if tuple(study.definition.axes) != LOAD_AXES:
        where = places.of("definition.axes", "Definition.axes", "Definition")
        fact = f"axes {', '.join(study.definition.axes) or 'none'}"
        yield problem("RM138", fact, where, "Write definition=rm.engine(NAME).")
        return
    found = [each for each in find_common_problems(study, places) if not _is_zero_rate(each)]
    yield from found
    yield from _protocol(study, places)
    yield from _loads(study, places)
    for number, solution in enumerate(study.solutions):
        where = solution_place(solution, number, places)
        yield from _leg(solution, contents, where)
    if study.wrong:
        mend = "Leave out wrong=; Serving(smoke=...) and exact counts are this study's gate."
        yield problem("RM138", "negative controls", places.of("wrong", "Study.wrong"), mend)


def _is_zero_rate(found: Problem) -> bool:
    """A load generates nothing, or has no rate; other axes start at 1."""
    return found.code == "RM108" and found.fact in ("axis 'generate' is 0", "axis 'rate' is 0")


def _protocol(study: Study, places: Places) -> Iterator[Problem]:
    if study.protocol.tier not in SERVING_TIERS:
        where = places.of("protocol.tier", "Protocol.tier", "Protocol")
        mend = f"Choose one of {', '.join(SERVING_TIERS)}."
        yield problem("RM138", f"tier {study.protocol.tier!r}", where, mend)
    if study.protocol.cache != "warm":
        where = places.of("protocol.cache", "Protocol.cache", "Protocol")
        yield problem("RM138", "a cold cache", where, 'Write cache="warm": engines have no other.')


def _loads(study: Study, places: Places) -> Iterator[Problem]:
    engines = [s.name for s in study.solutions if isinstance(s.leg, Engine)]
    for number, workload in enumerate(study.workloads):
        if workload.axes.keys() != set(LOAD_AXES):
            continue
        where = workload_place(workload, number, places)
        try:
            load = load_of(workload)
            costs = [
                evaluate(c, workload.axes)
                for c in (study.definition.flops, study.definition.traffic)
            ]
        except ValueError as error:
            yield problem("RM109", f"the cost of a token: {error}", where, "Mend flops or traffic.")
            continue
        if min(costs) < 0:
            yield problem(
                "RM109", "the cost of a token is negative", where, "Mend flops or traffic."
            )
        if engines and (load.concurrency > 1 or load.rate):
            fact = f"{engines[0]} answers one request at a time"
            yield problem("RM138", fact, where, "Use concurrency=1 and rate=0, or a server.")


def _leg(solution: Solution, contents: Mapping[str, bytes], where: str) -> Iterator[Problem]:
    leg = solution.leg
    match leg:
        case UnsetType():
            mend = "Give it leg=rm.Engine(...), rm.Server(...) or rm.Command(...)."
            yield problem("RM138", "a solution without a leg", where, mend)
            return
        case Engine():
            yield from _engine(solution, contents, where)
        case Server():
            if leg.run and "{port}" not in leg.url:
                fact = f"it is started, and answers at {leg.url!r}"
                mend = "Keep {port} in url, so that every process set has its own."
                yield problem("RM138", fact, where, mend)
            if not leg.url.startswith(("http://", "https://")):
                yield problem(
                    "RM138", f"url {leg.url!r}", where, "Begin it with http:// or https://."
                )
        case Command():
            yield from _command(leg, where)
    for name, value in leg.environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            yield problem("RM138", f"variable {name!r}", where, "Name it as a shell would.")
    if isinstance(solution.treatment, Treatment):
        yield from _treatment(solution, solution.treatment, where)


def _engine(solution: Solution, contents: Mapping[str, bytes], where: str) -> Iterator[Problem]:
    if not _ENTRY.fullmatch(solution.entry):
        mend = 'Write entry="engines.py::make", which returns the engine.'
        yield problem("RM117", f"entry {solution.entry!r}", where, mend)
        return
    given = {"device", *solution.params}
    yield from find_entry_problems(solution.entry, contents, given, where)


def _command(leg: Command, where: str) -> Iterator[Problem]:
    if not leg.run:
        yield problem("RM138", "a command of no words", where, 'Write run=("llama-bench", ...).')
    if isinstance(leg.reads, Pattern):
        try:
            groups = re.compile(leg.reads.expression).groupindex
        except (re.error, RecursionError, OverflowError) as error:
            yield problem("RM138", f"pattern: {error}", where, "Write a Python regular expression.")
            return
        if "value" not in groups:
            mend = r"Name the number: (?P<value>[\d.]+) tok/s"
            yield problem("RM138", "a pattern without a group `value`", where, mend)


def _treatment(solution: Solution, treatment: Treatment, where: str) -> Iterator[Problem]:
    tables = treatment.kernels or treatment.without
    if (tables or not isinstance(treatment.graph_replays, UnsetType)) and not isinstance(
        solution.leg, Engine
    ):
        mend = "Prove it by its environment; only in-process engines have a profiled pass."
        yield problem("RM138", "kernels or graphs of a foreign process", where, mend)
