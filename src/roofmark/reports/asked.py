"""What a study asks, for people: what is compared with what, how, and where.

In: a verdict and its bundle. Out: facts and a table, unescaped.
"""

from collections import Counter

from msgspec import UnsetType

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import Passed
from roofmark.records import Missing
from roofmark.reports.blocks import Column, Fact, Line, Table
from roofmark.reports.wording import NOTHING, counted, date_of, joined, one_line, shape_of, shorten
from roofmark.study import Definition, Solution, Study, Tensor, Tier

_TIERS: dict[Tier, str] = {
    "graph": "graph tier: inside a replayed CUDA graph",
    "kernel": "kernel tier: the device's own span",
    "call": "call tier: the host's clock around a call, overheads included",
    "token": "token tier: seconds per token of the prompt, or per token after the first",
    "output": "output tier: seconds of a visit per token of all streams together",
    "ttft": "ttft tier: from the intended start to the first token",
    "itl": "itl tier: the gap between two chunks",
    "request": "request tier: from the intended start to the last token",
    "memory": "memory tier: peak bytes",
}
# Chosen: an operator's contract on two lines of a wide screen; the bundle has all of it.
_LONGEST = 260
# Chosen: shapes that fit on two lines; more are counted.
_MOST_SHAPES = 16


def asked_facts(verdict: Verdict, bundle: Bundle) -> list[Fact]:
    """Return what was compared with what, how, and where."""
    study = bundle.study
    names = [each.solution for each in verdict.overall if each.role == "solution"]
    against = f"{joined(names) or 'nothing'} against {verdict.baseline}"
    facts = [
        Fact("Compared", f"{against}, and {verdict.baseline} against itself (A/A twin)"),
        *_subject(study),
        Fact("Workloads", _workloads(verdict)),
        Fact("Timed", f"{_TIERS[verdict.tier]}; {verdict.cache} cache; {_clock(verdict, bundle)}"),
        Fact("Design", _design(study, verdict)),
        Fact("Decided", _rule(verdict)),
        Fact("Where", _where(verdict, bundle)),
    ]
    return [Fact(each.name, one_line(each.value)) for each in facts]


def _subject(study: Study) -> list[Fact]:
    """Return what is computed, or what is served."""
    definition = study.definition
    if not isinstance(study.serving, UnsetType):
        return [Fact("Engine", definition.name)]
    work = f"{definition.traffic} bytes and {definition.flops} flop a call"
    return [Fact("Operator", _contract(definition)), Fact("Work", work)]


def _contract(definition: Definition) -> str:
    given = ", ".join(_tensor(name, each) for name, each in definition.inputs.items())
    made = ", ".join(_tensor(name, each) for name, each in definition.outputs.items())
    return shorten(f"{definition.name}: {given} → {made}", _LONGEST)


def _tensor(name: str, tensor: Tensor) -> str:
    return f"{name} [{tensor.shape}] {tensor.dtype}"


def _workloads(verdict: Verdict) -> str:
    """Name the shapes, and how many workloads differ by their values alone."""
    shapes = Counter(map(shape_of, dict.fromkeys(cell.workload for cell in verdict.cells)))
    named = [f"{shape} ({n})" if n > 1 else shape for shape, n in shapes.items()]
    more = len(named) - _MOST_SHAPES
    shown = ", ".join(named[:_MOST_SHAPES]) + (f" and {more} more" if more > 0 else "")
    note = ", by shape and number of seeds" if max(shapes.values(), default=1) > 1 else ""
    return f"{sum(shapes.values())}: {shown}{note}"


def _clock(verdict: Verdict, bundle: Bundle) -> str:
    """Name the clocks that timed the deciding tier."""
    clocks = {
        measurement.clock
        for trace in bundle.traces()
        if isinstance(trace.outcome, Passed)
        for measurement in trace.outcome.measurements
        if measurement.tier == verdict.tier
    }
    return f"clock {joined(sorted(clocks))}" if clocks else "never timed"


def _design(study: Study, verdict: Verdict) -> str:
    protocol = study.protocol
    fewest, most = protocol.processes
    kernels = isinstance(study.serving, UnsetType)
    fresh = "fresh values and addresses" if kernels else "fresh prompts"
    sets = f"{fewest} to {most} sets" if fewest < most else f"{fewest} sets"
    return (
        f"{sets} of fresh processes ({verdict.processes} were used), "
        f"{protocol.blocks} blocks in each, all solutions in random order within a block; {fresh} "
        f"for every call; stopped when decided or after "
        f"{protocol.time_limit:g} s"
    )


def _rule(verdict: Verdict) -> str:
    return (
        f"a difference of less than {verdict.margin * 100:.3g} % does not matter; "
        f"{verdict.level * 100:.4g} % for all comparisons together, by intervals that stay valid "
        "although they were looked at after every set"
    )


def _where(verdict: Verdict, bundle: Bundle) -> str:
    environment, sessions = bundle.environment, bundle.run.sessions
    gpu = environment.gpu
    driver = "" if isinstance(gpu, Missing) else f", driver {gpu.driver}"
    when = date_of(sessions[0].started) if sessions else "unknown"
    return (
        f"{verdict.device_name}{driver}; {counted(environment.cpu.cores, 'host core')}; {when} UTC"
    )


def solution_table(bundle: Bundle) -> Table:
    """Return every solution of the study, the baseline first, and what it is."""
    study = bundle.study
    skipped = {each.solution: each.reason for each in bundle.run.skipped}
    ordered = sorted(study.solutions, key=lambda each: each.name != study.baseline)
    names = ("Solution", "Role", "Language", "Entry", "Built for")
    columns = [Column(names[0], "name"), *(Column(name) for name in names[1:])]
    rows = [
        Line(
            (
                each.name,
                "baseline" if each.name == study.baseline else _role(skipped.get(each.name)),
                each.language,
                one_line(each.entry),
                _target(each),
            ),
            quiet=each.name in skipped,
        )
        for each in ordered
    ]
    return Table(title="The solutions of the study", columns=columns, rows=rows)


def _role(skipped: str | None) -> str:
    return "solution" if skipped is None else f"not run here\n{one_line(skipped)}"


def _target(solution: Solution) -> str:
    params = ", ".join(f"{name}={value}" for name, value in solution.params.items())
    target = solution.target if isinstance(solution.target, str) else ""
    return one_line("; ".join(part for part in (target, params) if part)) or NOTHING
