"""The README of an export: what FlashInfer-Trace cannot say, so that nothing is lost silently.

In: a bundle, its verdict, what the export made of it. Out: Markdown. Every value that was dropped
stands here; the bundle, named by its digest, holds all of it.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby

from roofmark import __version__
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.exporting.axes import NamedAxes
from roofmark.exporting.solutions import exported_name
from roofmark.records import Record, encode
from roofmark.reports.markdown import escape
from roofmark.reports.wording import counted, one_line, ratio_and_interval
from roofmark.study import Definition, Solution, Study, twin_of

# Chosen: a screen of workloads; a longer list is counted.
_MOST_WORKLOADS = 8


def readme(
    bundle: Bundle,
    verdict: Verdict,
    named: NamedAxes,
    *,
    unmade: Mapping[str, str],
    absent: Mapping[tuple[str, str], str],
) -> str:
    """Return the page. unmade: solution -> why; absent: (solution, workload) -> why no trace."""
    study, profiles = bundle.study, len(list(bundle.profiles()))
    verb = "is" if profiles == 1 else "are"
    parts = [
        f"# {_code(study.definition.name)}, exported by roofmark {__version__}",
        f"A FlashInfer-Trace data set of the bundle with sha256 {_code(verdict.bundle)}, measured "
        f"on {_code(verdict.device_name)}. Where this set says less than the bundle, the bundle "
        "counts.",
        "## What was judged",
        "\n".join(_judged(verdict, study)),
        "## What this format cannot say",
        "\n".join(f"- {line}" for line in _lost(study, verdict, named)),
        *([f"- {counted(profiles, 'profile')} {verb} in the bundle alone."] if profiles else []),
        "## Solutions",
        "\n".join(f"- {line}" for line in _solutions(study, unmade)),
        "## Without a trace",
        "\n".join(f"- {line}" for line in _untraced(bundle, absent)) or "Nothing.",
    ]
    return "\n\n".join(parts) + "\n"


def _judged(verdict: Verdict, study: Study) -> Iterator[str]:
    yield f"| solution | against {_code(study.baseline)} | speed-up | moved by |"
    yield "|---|---|---|---|"
    for each in verdict.overall:
        codes = ", ".join(each.codes) or "nothing"
        ratio = ratio_and_interval(each.speedup)
        yield f"| {_code(each.solution)} | {each.decision} | {ratio} | {codes} |"
    if verdict.accepted:
        yield f"\nThe study accepts these findings: {', '.join(verdict.accepted)}."


def _lost(study: Study, verdict: Verdict, named: NamedAxes) -> Iterator[str]:
    definition, protocol = study.definition, study.protocol
    yield (
        f"Times are medians on the {verdict.tier} tier with a {verdict.cache} cache, over up to "
        f"{verdict.processes} fresh processes; samples, intervals and other tiers are in the "
        f"bundle. A difference below {100 * protocol.margin:g} % does not matter to this study."
    )
    yield (
        f"`reference_latency_ms` is the latency of the baseline {_code(study.baseline)}: the "
        "reference is not timed. `speedup_factor` is the ratio of the two medians, not the paired "
        "estimate above."
    )
    yield (
        "`max_absolute_error` and `max_relative_error` are NaN: errors are measured as `rms`, "
        "||out - ref|| / ||ref||, and `peak`, |out - ref| / (|ref| + rms(ref)); both are in "
        "`correctness.extra`. Filters by error pass none of these traces until they are run there."
    )
    yield f"Tolerance: {_json(definition.tolerance)}; there it is an option of the run."
    for name, tensor in definition.outputs.items():
        if isinstance(tensor.tolerance, Record):
            yield f"Tolerance of {_code(name)}: {_json(tensor.tolerance)}."
    yield from _drawn(definition, study)
    yield f"Cost of a call: flops {_code(definition.flops)}, traffic {_code(definition.traffic)}."
    for what in ("mutable", "weights"):
        if names := getattr(definition, what):
            yield f"`{what}`: {', '.join(map(_code, names))}."
    for name in named.unused:
        yield f"Axis {_code(name)} is left out: no shape names it as it is."
    for name, text in named.computed.items():
        yield f"Axis {_code(name)} stands for {_code(text)}; each workload has its value."
    if study.contrasts:
        yield f"Contrasts: {', '.join(f'{c.against} over {c.of}' for c in study.contrasts)}."
    yield f"The twin of the baseline, {_code(twin_of(study.baseline))}: the same code once more."


def _drawn(definition: Definition, study: Study) -> Iterator[str]:
    """Tell how values are drawn here; there every input is random in its own way."""
    yield "Values come from each workload's seed and the run's entropy; there they are drawn anew."
    for name, tensor in definition.inputs.items():
        drawn = _json(tensor.values) if isinstance(tensor.values, Record) else "normal"
        yield f"Values of {_code(name)}: {drawn}; there `random`."
    for workload in study.workloads:
        for name, values in workload.values.items():
            yield f"Values of {_code(name)} in workload {_code(workload.id)}: {_json(values)}."
    held_out = [workload.id for workload in study.workloads if workload.held_out]
    if held_out:
        yield f"Held out (measured by confirmation runs alone): {_list(held_out)}."


def _solutions(study: Study, unmade: Mapping[str, str]) -> Iterator[str]:
    for solution in (*study.solutions, *study.wrong):
        name, told = _code(exported_name(study, solution.name)), list(_special(solution))
        if solution.name in unmade:
            told.insert(0, f"not exported: {escape(unmade[solution.name])}")
        if solution in study.wrong:
            told.insert(0, "wrong on purpose")
        if solution.name == study.baseline:
            told.insert(0, "the baseline")
        yield f"{name}: {'; '.join(told) or 'as it is'}."


def _special(solution: Solution) -> Iterator[str]:
    """Yield what a solution asks for that no build or check there gives it."""
    if solution.flags or isinstance(solution.target, str):
        words = [*([solution.target] if isinstance(solution.target, str) else []), *solution.flags]
        yield f"built here for {_code(' '.join(words))}, there with tvm-ffi's own options"
    if solution.params:
        yield f"its params are written out: {_json(solution.params)}"
    for what in ("prepare", "exact", "after", "traffic"):
        if isinstance(value := getattr(solution, what), str):
            yield f"`{what}` is {_code(value)}"


def _untraced(bundle: Bundle, absent: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for skipped in bundle.run.skipped:
        yield f"{_code(skipped.solution)}: {escape(skipped.reason)}."
    by_reason = sorted(absent.items(), key=lambda item: (item[0][0], item[1]))
    for (solution, reason), items in groupby(by_reason, key=lambda item: (item[0][0], item[1])):
        workloads = [place[1] for place, _ in items]
        yield f"{_code(solution)} on {_list(workloads)}: {escape(reason)}."


def _list(names: list[str]) -> str:
    rest = len(names) - _MOST_WORKLOADS
    return ", ".join(map(_code, names[:_MOST_WORKLOADS])) + (f" and {rest} more" * (rest > 0))


def _json(value: object) -> str:
    return _code(encode(value).decode())


def _code(text: str) -> str:
    """Return a text from a study as code that cannot end early or break its line."""
    return "`" + one_line(text).replace("`", "'").replace("|", "/") + "`"
