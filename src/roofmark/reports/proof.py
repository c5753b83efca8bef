"""What a bundle says about whether its numbers can be believed and where they come from.

In: a verdict, its bundle. Out: facts as a name and a text, on one line and unescaped; commands.
"""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import UnsetType

from roofmark.analysis.verdict import Estimate, Overall, Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import Build, Git, Passed
from roofmark.profiled import NotProfiled, PairProfile, Profiled
from roofmark.records import Missing
from roofmark.reports.blocks import Fact
from roofmark.reports.view import finding_rows, unknown_codes
from roofmark.reports.wording import counted, interval, joined, one_line, ratio_and_interval
from roofmark.stations import host_of
from roofmark.study import twin_of
from roofmark.units import show

# Chosen: the packages that a kernel's time may depend on; the bundle lists all.
_PACKAGES = ("torch", "triton", "numpy", "apache-tvm-ffi", "cupti-python")
# Chosen: as much of a digest as people compare by eye; the bundle holds all of it.
_DIGITS = 12
# Chosen: so many names fit in a sentence; more are counted.
_MOST_NAMED = 4


def trust(verdict: Verdict, bundle: Bundle) -> list[Fact]:
    """Return what tells whether the numbers can be believed."""
    moving = [row.code for row in finding_rows(verdict) if row.moves]
    codes = ", ".join(dict.fromkeys(moving))
    unknown = unknown_codes(verdict)
    rest = f"; {counted(len(unknown), 'rule')} lacked a fact somewhere" if unknown else ""
    health = f"{codes} move a verdict" if codes else "no finding moves a verdict"
    return [
        _twin(verdict),
        *_checks(bundle),
        *_integrity(verdict, bundle),
        Fact("Health", health + rest, "doubt" if codes else "good"),
        _builds(bundle),
        Fact("Seal", f"every file as it was sealed, bundle {verdict.bundle[:_DIGITS]}", "good"),
        Fact("Processes", f"up to {verdict.processes} fresh sets, interleaved in random blocks"),
        *_stations(verdict),
        *_counters(bundle),
    ]


def _twin(verdict: Verdict) -> Fact:
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    cells = [cell for cell in verdict.cells if cell.solution in twins]
    if not cells:
        none = "none was measured: what this machine calls a difference is not known"
        return Fact("A/A twin", none, "doubt")
    same = sum(cell.decision == "same" for cell in cells)
    said = f"the baseline against itself is same on {same} of {counted(len(cells), 'workload')}"
    return Fact("A/A twin", said, "good" if same == len(cells) else "doubt")


def _builds(bundle: Bundle) -> Fact:
    """Count the solutions in whose loaded bytes machine code of a target was found."""
    built: defaultdict[str, list[Build]] = defaultdict(list)
    for digest, name in _builds_by_solution(bundle).items():
        built[name].append(bundle.build(digest))
    open_ = [name for name, builds in built.items() if any(each.ptx_only for each in builds)]
    plain = [name for name, builds in built.items() if not any(each.targets for each in builds)]
    proved = [name for name in built if name not in plain and name not in open_]
    said = [
        f"{joined(names)} {what}"
        for names, what in (
            (proved, "proved to be the machine code asked for, in the loaded bytes"),
            (plain, "interpreted: no code of its own to prove"),
            (open_, "PTX only: the driver compiled it at load"),
        )
        if names
    ]
    return Fact(
        "Builds", "; ".join(said) or "nothing was built", "good" if built and not open_ else "doubt"
    )


def _stations(verdict: Verdict) -> Iterator[Fact]:
    """Tell what each device of a fleet says by itself."""
    hosts = {host_of(each.station) for each in verdict.stations}
    if verdict.stations:
        many = f"{counted(len(verdict.stations), 'station')} on {counted(len(hosts), 'host')}"
        yield Fact("Fleet", f"{many}; each set on one of them, their effects random")
    for each in verdict.stations:
        said = [
            f"{name} {ratio_and_interval(found)}"
            for name, found in each.speedups.items()
            if isinstance(found, Estimate) and name != twin_of(verdict.baseline)
        ]
        sets = counted(each.processes, "process set")
        yield Fact(f"Station {each.station}", "; ".join((each.device_name, sets, *said)))


def _checks(bundle: Bundle) -> Iterator[Fact]:
    """Count verified calls, timed ones among them, and what became of the wrong kernels."""
    calls = timed = 0
    wrong: dict[str, set[str]] = {}
    for trace in bundle.traces():
        if trace.role == "wrong":
            wrong.setdefault(trace.solution, set()).add(type(trace.outcome).__name__)
        elif isinstance(trace.outcome, Passed) and trace.outcome.checks:
            calls += trace.outcome.checks[0].calls
            timed += trace.outcome.checks[0].timed
    if not isinstance(bundle.study.serving, UnsetType):
        yield _answers(bundle)
        return
    said = f"{calls:,} calls compared with the reference, {timed:,} of them timed"
    yield Fact("Outputs", said, "good" if timed else "bad")
    refused = sum("Incorrect" in kinds and "Passed" not in kinds for kinds in wrong.values())
    untried = sum(not kinds & {"Incorrect", "Passed"} for kinds in wrong.values())
    said = f"{refused} of {counted(len(wrong), 'wrong kernel')} refused" if wrong else "none ran"
    if untried:
        said += f", {untried} never reached the gate"
    passed = any("Passed" in kinds for kinds in wrong.values())
    mark = "bad" if passed else "good" if refused == len(wrong) > 0 else "doubt"
    yield Fact("Negative controls", said, mark)


def _integrity(verdict: Verdict, bundle: Bundle) -> Iterator[Fact]:
    """Tell what the second clock said, and what of a candidate's process the kernel bounded.

    Nothing of bundles that were made before there was either.
    """
    batches = cells = 0
    for trace in bundle.traces():
        took = trace.outcome.batches if isinstance(trace.outcome, Passed) else ()
        taken = sum(batch.rounds > 0 for batch in took)
        batches, cells = batches + taken, cells + (taken > 0)
    accused = {f.solution for f in verdict.findings if f.code == "RM508" and f.state == "fires"}
    if batches:
        said = f"{counted(batches, 'batch')} of {counted(cells, 'trace')} timed from outside"
        judged = f"refuse {', '.join(sorted(accused))}" if accused else "accuse nobody"
        yield Fact("Second clock", f"{said}; they {judged}", "bad" if accused else "good")
    if bounds := bundle.environment.isolation:
        yield Fact("Confinement", f"workers: {', '.join(bounds)}", "good")
    elif batches:
        yield Fact("Confinement", "none: this kernel offers nothing that bounds a worker", "doubt")


def _answers(bundle: Bundle) -> Fact:
    """Count the requests whose every chunk is kept."""
    requests = [r for served in bundle.served() for visit in served.visits for r in visit.requests]
    chunks = sum(len(request.arrivals) for request in requests)
    return Fact(
        "Answers", f"{len(requests):,} requests, the arrival of each of {chunks:,} chunks kept"
    )


def _counters(bundle: Bundle) -> Iterator[Fact]:
    """Tell what was profiled and how, then each reason for which something was not, once."""
    pairs = list(bundle.profiles())
    taken = [each.outcome for each in pairs if isinstance(each.outcome, Profiled)]
    if pairs:
        how = sorted({_how(each) for each in taken})
        said = f"{len(taken)} of {counted(len(pairs), 'pair')} of workload and solution profiled"
        yield Fact("Counters", "; ".join((said, *how)))
    yield from (Fact("Not profiled", each) for each in not_profiled(pairs))


def not_profiled(pairs: Iterable[PairProfile]) -> Iterator[str]:
    """Yield each reason for which something was not profiled, once, with names and mend."""
    failed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in pairs:
        if isinstance(each.outcome, NotProfiled):
            why = one_line(each.outcome.reason), one_line(each.outcome.mend)
            failed[why].append(one_line(f"{each.solution} on {each.workload}"))
    for (reason, mend), names in failed.items():
        more = len(names) - _MOST_NAMED
        named = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield f"{named}: {reason.rstrip('.')}. {mend}"


def _how(profile: Profiled) -> str:
    tool = "unknown version" if isinstance(profile.tool, Missing) else one_line(profile.tool)
    caches = "flushed" if profile.cache_control == "all" else "left warm"
    return f"ncu {tool}, {profile.replay} replay, caches {caches}, clocks not locked"


def provenance(verdict: Verdict, bundle: Bundle) -> list[Fact]:
    """Return where the numbers come from."""
    environment, run = bundle.environment, bundle.run
    gpu, commit = environment.gpu, environment.git
    cpu = environment.cpu
    model = cpu.model if isinstance(cpu.model, str) else "unknown processor"
    found = [f"{n} {environment.packages[n]}" for n in _PACKAGES if n in environment.packages]
    facts = [
        Fact("Bundle", verdict.bundle),
        Fact("Device", verdict.device_name),
        Fact("Driver", _or_reason(gpu if isinstance(gpu, Missing) else gpu.driver)),
        Fact("Host", f"{model}, {counted(cpu.cores, 'core')}, {environment.os}"),
        Fact("Python", environment.python),
        Fact("Packages", ", ".join(found) or "none of those that times depend on"),
        Fact("Commit", _or_reason(commit if isinstance(commit, Missing) else _commit(commit))),
        Fact("Run time", ", ".join(_session(each.seconds) for each in run.sessions) or "not noted"),
    ]
    facts += [Fact(f"Skipped {each.solution}", each.reason) for each in run.skipped]
    facts += [Fact(f"Ceiling {c.quantity}", _ceiling(c.quantity, c.value, c.source))
              for c in environment.ceilings]  # fmt: skip
    return [Fact(fact.name, one_line(fact.value)) for fact in facts]


def _or_reason(value: str | Missing) -> str:
    return f"not known: {value.reason}" if isinstance(value, Missing) else value


def _ceiling(quantity: str, value: float, source: str) -> str:
    unit = "flop/s" if quantity.startswith("arithmetic") else "B/s"
    return f"{show(value, 's' if quantity.startswith('launch') else unit)}, {source}"


def _commit(git: Git) -> str:
    return git.commit[:_DIGITS] + (" with local changes" if git.dirty else "")


def _session(seconds: float | Missing) -> str:
    return "interrupted" if isinstance(seconds, Missing) else show(seconds, "s")


def _builds_by_solution(bundle: Bundle) -> dict[str, str]:
    """Return digest -> solution for every build of a solution or the baseline."""
    seen: dict[str, str] = {}
    for trace in bundle.traces():
        build = getattr(trace.outcome, "build", "")
        if trace.role not in ("wrong", "twin") and build:
            seen.setdefault(build, trace.solution)
    return seen


def proofs(bundle: Bundle) -> list[Fact]:
    """Return one line for each solution's build."""
    found = _builds_by_solution(bundle)
    built = [Fact(name, _proof(bundle.build(build))) for build, name in found.items()]
    return [Fact(fact.name, one_line(fact.value)) for fact in built]


def _proof(build: Build) -> str:
    parts = [] if isinstance(build.compiler, Missing) else [build.compiler]
    parts.append(", ".join(f"{t.kind} {t.name}" for t in build.targets) or "interpreted")
    if build.kernels:
        registers = sorted({kernel.registers for kernel in build.kernels})
        spilled = sum(kernel.spill_bytes for kernel in build.kernels)
        parts.append(f"{', '.join(map(str, registers))} registers, {show(spilled, 'B')} spilled")
    if build.ptx_only:
        parts.append("PTX only: the driver compiled it at load")
    return "; ".join((*parts, f"source {build.source[:_DIGITS]}"))


def reproduce(verdict: Verdict, bundle: Bundle) -> list[tuple[str, str]]:
    """Return the commands that check and repeat this, each with what it does."""
    name = shlex.quote(one_line(bundle.name))
    again = shlex.quote(f"{one_line(bundle.name)}-again")
    claims = [
        (f'roofmark judge {name} --claim "{claim}"', "exit code 0 if that holds, 1 if not")
        for claim in map(_claim, verdict.overall)
        if claim
    ]
    return [
        (f"roofmark verify {name}", "is every byte as it was sealed?"),
        (f"roofmark judge {name}", "the same verdict, on any machine"),
        *claims[:_MOST_NAMED],
        (f"roofmark rerun {name} -o {again}", "its study and sources again, here"),
    ]


def _claim(overall: Overall) -> str:
    """Return what a decided solution claims, at the careful end of its interval; else nothing."""
    if overall.role == "twin" or overall.decision not in ("faster", "slower", "same"):
        return ""
    if overall.decision != "faster" or isinstance(overall.speedup, Missing):
        return f"{overall.solution} {overall.decision}"
    low = interval(overall.speedup).partition(" ")[0]
    # Rounded up, the lowest ratio that the interval holds would be missed by its last digit.
    least = low if float(low) <= overall.speedup.low else f"{overall.speedup.low:.6g}"
    return f"{overall.solution} faster {least}"
