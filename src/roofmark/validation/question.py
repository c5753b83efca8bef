"""Does the study ask something that can be asked? Names, roles, axes, devices, protocol.

In: a study whose fields have their types. Out: problems. Tensors are looked at in tensors.py,
source files in sources.py.
"""

import re
from collections import Counter
from collections.abc import Iterator

from msgspec import UnsetType

from roofmark.codes import problem
from roofmark.errors import Problem
from roofmark.study import LANGUAGES, SERVING_TIERS, Language, Solution, Study, Workload
from roofmark.validation.places import Places

_ENTRY = re.compile(r"[^:]+::[A-Za-z_][A-Za-z0-9_]*")
# Source: bundle.py files traces under this name; one file system takes 255 bytes, a table 64.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_HEALTH = re.compile(r"RM3\d\d")
# Source: nvcc's `-arch`, such as sm_90 or sm_90a.
_SM = re.compile(r"sm_[1-9]\d{1,2}[af]?")
# Source: names that compilers take after -m and -march=, such as avx512f, sse4.2, armv8.2-a+sve.
_ISA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# Chosen: twice what the largest bundle may hold (bundle.py counts its files and traces), and far
# more than anybody waits for.
_MOST_WORKLOADS, _MOST_SOLUTIONS, _MOST_TENSORS = 2000, 200, 200
# Chosen: top level only, because looking for "a.b" imports a.
_PACKAGE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def find_question_problems(study: Study, places: Places) -> Iterator[Problem]:
    """Yield everything that is wrong with the question itself; of a huge one, that it is huge."""
    if too_many := list(find_size_problems(study, places)):
        yield from too_many
        return
    yield from find_common_problems(study, places)
    if study.protocol.tier in SERVING_TIERS:
        where = places.of("protocol.tier", "Protocol.tier", "Protocol")
        mend = "Choose kernel, graph or call."
        yield problem(
            "RM138", f"tier {study.protocol.tier!r} in a study of an operator", where, mend
        )
    for number, solution in enumerate((*study.solutions, *study.wrong)):
        if not isinstance(solution.leg, UnsetType):
            where = solution_place(solution, number, places)
            mend = "Add serving=rm.Serving() to the study, or leave out the leg."
            yield problem("RM138", "a leg in a study of an operator", where, mend)
    for number, solution in enumerate(study.solutions):
        yield from _solution(solution, study, solution_place(solution, number, places))
    for number, control in enumerate(study.wrong):
        yield from _solution(control, study, solution_place(control, number, places, "wrong"))
    yield from _path(study.definition.reference, places.of("reference", "Definition.reference"))


def find_common_problems(study: Study, places: Places) -> Iterator[Problem]:
    """Yield what can be wrong with any study: roles, axes, names, protocol."""
    yield from _roles(study, places)
    yield from _axes(study, places)
    yield from _ids(study, places)
    yield from _protocol(study, places)


def solution_place(solution: Solution, number: int, places: Places, kind: str = "solutions") -> str:
    """Return "solutions[2] 'triton', study.py:31"."""
    return places.of(f"{kind}[{number}] {solution.name!r}", f"Solution:{solution.name}")


def workload_place(workload: Workload, number: int, places: Places) -> str:
    """Return "workloads[0] 'n1', study.py:14"."""
    keys = (f"Workload:{workload.id}", "Workload", "Study.workloads")
    return places.of(f"workloads[{number}] {workload.id!r}", *keys)


def binds_axes(study: Study, workload: Workload) -> bool:
    """Return whether every axis has a positive size."""
    sizes = study.axes(workload)
    return sizes.keys() == study.definition.axes.keys() and all(n > 0 for n in sizes.values())


def device_list(solution: Solution) -> tuple[str, ...]:
    """Return where a solution runs; nothing if its suffix declares no language."""
    return solution.runs_on if _has_language(solution) else ()


def _has_language(solution: Solution) -> bool:
    return "." + solution.path.rpartition(".")[2] in LANGUAGES


def find_size_problems(study: Study, places: Places) -> Iterator[Problem]:
    """Yield what there is too much of; asked first of a stranger's study, since it is quick."""
    definition = study.definition
    counted = {
        "workloads": (len(study.workloads), _MOST_WORKLOADS),
        "solutions": (len(study.solutions) + len(study.wrong), _MOST_SOLUTIONS),
        "contrasts": (len(study.contrasts), _MOST_SOLUTIONS),
        "axes": (len(definition.axes), _MOST_TENSORS),
        "tensors": (len(definition.inputs) + len(definition.outputs), _MOST_TENSORS),
    }
    for what, (count, most) in counted.items():
        if count > most:
            fact = f"{count:,} {what}; a study has at most {most:,}"
            place = places.of(what, f"Study.{what}", "Study")
            yield problem("RM103", fact, place, "Split it into several studies.")


def _roles(study: Study, places: Places) -> Iterator[Problem]:
    names = [solution.name for solution in (*study.solutions, *study.wrong)]
    # Names become file names, and not every file system tells case apart.
    for folded, count in Counter(name.lower() for name in names).items():
        if count > 1:
            name = next(name for name in names if name.lower() == folded)
            place = places.of(f"solutions and wrong {name!r}", "Study.solutions", "Study")
            fact = f"{count} solutions are named {name!r}, whatever the case"
            yield problem("RM104", fact, place, "Rename one.")
    if study.baseline not in {solution.name for solution in study.solutions}:
        known = ", ".join(solution.name for solution in study.solutions) or "none"
        yield problem(
            "RM105",
            f"baseline {study.baseline!r} is no solution",
            places.of("baseline", "Study.baseline", "Study"),
            f"Name one of the solutions: {known}.",
        )
    if not study.solutions:
        yield problem("RM106", "no solutions", places.of("study", "Study"), "Add two or more.")
    if all(workload.held_out for workload in study.workloads):
        fact = "all workloads are held out" if study.workloads else "no workloads"
        mend = "Add a Workload that is not held out."
        yield problem("RM106", fact, places.of("study", "Study.workloads", "Study"), mend)
    for code in study.accept:
        if not _HEALTH.fullmatch(code):
            place = places.of("accept", "Study.accept")
            mend = "List RM3xx codes; `roofmark rules` has them."
            yield problem("RM125", f"cannot accept {code!r}", place, mend)


def _axes(study: Study, places: Places) -> Iterator[Problem]:
    place = places.of("definition.axes", "Definition.axes")
    for name, size in study.definition.axes.items():
        if not name.isidentifier():
            yield problem("RM109", f"axis {name!r} is no name", place, "Use letters and digits.")
        if isinstance(size, int) and size < 1:
            yield problem("RM109", f"axis {name!r} is {size}", place, "Sizes start at 1.")
    open_axes = {name for name, size in study.definition.axes.items() if size == "var"}
    for number, workload in enumerate(study.workloads):
        where = workload_place(workload, number, places)
        if workload.axes.keys() != open_axes:
            given = ", ".join(workload.axes) or "nothing"
            mend = f"Bind exactly: {', '.join(sorted(open_axes)) or 'nothing'}."
            yield problem("RM108", f"workload binds {given}", where, mend)
        for name, size in workload.axes.items():
            if size < 1:
                yield problem("RM108", f"axis {name!r} is {size}", where, "Sizes start at 1.")


def _ids(study: Study, places: Places) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for number, workload in enumerate(study.workloads):
        where = workload_place(workload, number, places)
        if not _ID.fullmatch(workload.id):
            yield problem("RM127", f"id {workload.id!r}", where, "Give it a short name=.")
        folded = workload.id.lower()
        if folded in first:
            fact = f"workloads {first[folded]} and {number} are both {workload.id!r}"
            yield problem("RM104", fact, where, "Give one another seed= or name=.")
        first.setdefault(folded, number)


def _protocol(study: Study, places: Places) -> Iterator[Problem]:
    protocol = study.protocol
    fewest, most = protocol.processes
    if fewest > most:
        yield problem(
            "RM124",
            f"processes ({fewest}, {most}): the fewest are more than the most",
            places.of("protocol.processes", "Protocol.processes", "Protocol"),
            "Write (fewest, most).",
        )
    if protocol.call_limit > protocol.time_limit:
        yield problem(
            "RM124",
            f"one visit may take {protocol.call_limit} s, the whole run {protocol.time_limit} s",
            places.of("protocol.call_limit", "Protocol.call_limit", "Protocol.time_limit"),
            "Lower call_limit or raise time_limit.",
        )


def _solution(solution: Solution, study: Study, where: str) -> Iterator[Problem]:
    if not _ENTRY.fullmatch(solution.entry) or not _has_language(solution):
        mend = 'Write entry="file.py::function".'
        yield problem("RM117", f"entry {solution.entry!r}", where, mend)
        return
    exact = (solution.exact,) if isinstance(solution.exact, str) else ()
    for path in (*solution.files, *exact):
        yield from _path(path, where)
    yield from _devices(solution, where)
    yield from _language(solution, where)
    yield from _words(solution, where)
    baseline = next((each for each in study.solutions if each.name == study.baseline), None)
    shared = set(device_list(baseline)) & set(solution.runs_on) if baseline else {"any"}
    if baseline and device_list(baseline) and solution.runs_on and not shared:
        yield problem(
            "RM126",
            f"it runs on {_join(solution.runs_on)}; baseline {baseline.name!r} on "
            + _join(baseline.runs_on),
            where,
            "Choose a baseline that runs there too.",
        )


def _devices(solution: Solution, where: str) -> Iterator[Problem]:
    count = len(solution.runs_on)
    if not count or len(set(solution.runs_on)) < count:
        fact = f"devices={solution.runs_on}"
        yield problem("RM123", fact, where, "Name each device once, or leave devices out.")


def _words(solution: Solution, where: str) -> Iterator[Problem]:
    """Check what is handed to the compiler and to the importer as a word."""
    for flag in solution.flags:
        if not flag or not flag.isprintable():
            yield problem("RM123", f"flag {flag!r}", where, "Give one printable word per flag.")
    for name in solution.requires:
        if not _PACKAGE.fullmatch(name):
            mend = 'Name it as `import` does, such as "flash_attn".'
            yield problem("RM123", f"required package {name!r}", where, mend)


def _language(solution: Solution, where: str) -> Iterator[Problem]:
    if solution.language == "cuda" and "cpu" in solution.runs_on:
        yield problem("RM123", "a .cu file on devices 'cpu'", where, 'Use devices=("cuda",).')
    target = solution.target
    if solution.language == "python" and (solution.flags or not isinstance(target, UnsetType)):
        given = "flags" if solution.flags else f"target {target!r}"
        mend = "Leave it out; only .cpp, .cc and .cu files are compiled here."
        yield problem("RM123", f"{given} on a Python file", where, mend)
    elif not isinstance(target, UnsetType) and not _fits(target, solution.language):
        mend = "CUDA takes sm_90, sm_90a, ...; C++ takes avx2, avx512f, x86-64-v3, native, ..."
        yield problem("RM123", f"target {target!r} on {solution.path!r}", where, mend)


def _fits(target: str, language: Language) -> bool:
    cuda = bool(_SM.fullmatch(target))
    return cuda if language == "cuda" else bool(_ISA.fullmatch(target)) and not cuda


def _path(path: str, where: str) -> Iterator[Problem]:
    path = path.partition("::")[0]
    parts = path.split("/")
    odd = not path.isprintable() or "\\" in path
    if odd or not {"", ".", ".."}.isdisjoint(parts):
        mend = "Name a file inside the folder of study.py, such as wrong/zeros.py."
        yield problem("RM102", f"source {path!r} leads out of the study's folder", where, mend)


def _join(devices: tuple[str, ...]) -> str:
    return " and ".join(devices)
