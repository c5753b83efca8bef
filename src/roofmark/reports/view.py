"""A verdict as rows and sentences, which all pages share, so that none says more than another.

In: a verdict, its bundle. Out: plain strings and numbers, unescaped; each page escapes for itself.
The word "faster" stands only where the verdict has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from roofmark.analysis.verdict import Cell, Estimate, Finding, Overall, Roof, Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import Git, Passed, Trace
from roofmark.records import Missing
from roofmark.units import show

# Findings that move the verdict come first, then what fires, then what could not be known.
_WEIGHT = {"invalid": 0, "undecided": 1, "": 2}


@dataclass(frozen=True)
class Fact:
    """A name and what is known of it."""

    name: str
    value: str


def answer(verdict: Verdict) -> list[str]:
    """Return the answer, one sentence for each solution; accepted health codes come first."""
    sentences: list[str] = []
    if verdict.accepted:
        codes = ", ".join(verdict.accepted)
        sentences.append(f"Note first: this study accepts the health findings {codes}.")
    solutions = [each for each in verdict.overall if each.role == "solution"]
    sentences += [_sentence(each, verdict) for each in solutions]
    return sentences or ["No solution was measured against the baseline."]


def _sentence(overall: Overall, verdict: Verdict) -> str:
    where = f"{verdict.tier} tier, {verdict.cache} cache, {verdict.study} on {verdict.device_name}"
    if overall.decision == "invalid":
        return f"{overall.solution} is invalid ({', '.join(overall.codes) or 'see findings'})."
    tally = _tally(overall)
    speedup = overall.speedup
    if isinstance(speedup, Missing):
        return f"{overall.solution} is undecided: {speedup.reason}."
    interval = (
        f"{speedup.level * 100:.0f} % interval {speedup.low:.3g} to {speedup.high:.3g}, "
        f"{speedup.n} processes"
    )
    head = {
        "faster": f"{overall.solution} is {speedup.value:.3g}x as fast as {verdict.baseline}",
        "slower": f"{overall.solution} is slower than {verdict.baseline}: {speedup.value:.3g}x",
        "same": f"{overall.solution} is as fast as {verdict.baseline} within "
        f"{verdict.margin * 100:.3g} %: {speedup.value:.4g}x",
    }.get(overall.decision, f"{overall.solution} against {verdict.baseline} is undecided overall")
    mixed = " Workloads disagree." if overall.mixed else ""
    return f"{head} ({interval}; {where}); {tally}.{mixed}"


def _tally(overall: Overall) -> str:
    total = sum(overall.counts.values())
    parts = [f"{word} on {count}" for word, count in overall.counts.items() if count]
    return f"{', '.join(parts)} of {total} workloads"


def ratio(estimate: Estimate | Missing) -> str:
    """Return "3.42x [3.38, 3.46]", or a dash."""
    if isinstance(estimate, Missing):
        return "-"
    return f"{estimate.value:.3g}x [{estimate.low:.3g}, {estimate.high:.3g}]"


def seconds(estimate: Estimate | Missing) -> str:
    """Return a time with its unit, or a dash."""
    return "-" if isinstance(estimate, Missing) else show(estimate.value, "s")


def headroom(roof: Roof | Missing) -> str:
    """Return how far above its floor a time stands, and which ceiling sets the floor."""
    if isinstance(roof, Missing):
        return "-"
    return f"{roof.headroom:.2f}x {roof.limit}"


def firing(verdict: Verdict) -> list[Finding]:
    """Return the findings that fire, those that move the verdict first."""
    fires = [each for each in verdict.findings if each.state == "fires"]
    return sorted(
        fires, key=lambda f: (f.accepted, _WEIGHT[f.moves], f.code, f.solution, f.workload)
    )


def place_of(finding: Finding) -> str:
    """Return where a finding applies."""
    parts = [part for part in (finding.solution, finding.workload) if part]
    return " on ".join(parts) or "study"


def twin_cells(verdict: Verdict) -> list[Cell]:
    """Return the cells of the A/A control."""
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    return [cell for cell in verdict.cells if cell.solution in twins]


def trust(verdict: Verdict, bundle: Bundle) -> list[Fact]:
    """Return what tells whether the numbers can be believed."""
    twins = twin_cells(verdict)
    same = sum(cell.decision == "same" for cell in twins)
    calls, timed, wrong = _verified(bundle)
    moving = [each for each in firing(verdict) if each.moves and not each.accepted]
    return [
        Fact(
            "A/A twin", f"the baseline against itself is same on {same} of {len(twins)} workloads"
        ),
        Fact("Outputs", f"{calls} calls compared with the reference, {timed} of them timed"),
        Fact("Negative controls", f"{wrong} wrong kernels were refused" if wrong else "none ran"),
        Fact("Health", f"{len(moving)} findings move a verdict" if moving else "nothing moved it"),
        Fact("Processes", f"up to {verdict.processes} fresh sets, interleaved in random blocks"),
    ]


def _verified(bundle: Bundle) -> tuple[int, int, int]:
    """Count verified calls, timed ones among them, and refused wrong kernels."""
    calls = timed = 0
    refused: set[str] = set()
    for trace in bundle.traces():
        if trace.role == "wrong":
            refused |= set() if isinstance(trace.outcome, Passed) else {trace.solution}
        elif isinstance(trace.outcome, Passed) and trace.outcome.checks:
            calls += trace.outcome.checks[0].calls
            timed += trace.outcome.checks[0].timed
    return calls, timed, len(refused)


def provenance(verdict: Verdict, bundle: Bundle) -> list[Fact]:
    """Return where the numbers come from."""
    environment, run = bundle.environment, bundle.run
    gpu = environment.gpu
    commit = environment.git
    facts = [
        Fact("Bundle", verdict.bundle),
        Fact("Device", verdict.device_name),
        Fact("Driver", "-" if isinstance(gpu, Missing) else gpu.driver),
        Fact("Host", f"{environment.cpu.model}, {environment.cpu.cores} cores, {environment.os}"),
        Fact("Python", environment.python),
        Fact("Commit", "-" if isinstance(commit, Missing) else _commit(commit)),
        Fact("Run time", ", ".join(_session(each.seconds) for each in run.sessions)),
        Fact("Skipped", "; ".join(f"{s.solution}: {s.reason}" for s in run.skipped) or "nothing"),
    ]
    names = ("torch", "triton", "numpy", "apache-tvm-ffi", "cupti-python")
    found = [f"{n} {environment.packages[n]}" for n in names if n in environment.packages]
    return [*facts, Fact("Packages", ", ".join(found) or "-")]


def _commit(git: Git) -> str:
    return git.commit[:12] + (" with local changes" if git.dirty else "")


def _session(seconds: float | Missing) -> str:
    return "interrupted" if isinstance(seconds, Missing) else show(seconds, "s")


def proofs(bundle: Bundle) -> Iterator[Fact]:
    """Yield one line for each solution's build."""
    seen: set[str] = set()
    for trace in bundle.traces():
        build = getattr(trace.outcome, "build", "")
        if trace.role in ("wrong", "twin") or not build or build in seen:
            continue
        seen.add(build)
        proof = bundle.build(build)
        targets = ", ".join(f"{t.kind} {t.name}" for t in proof.targets) or "interpreted"
        registers = sorted({kernel.registers for kernel in proof.kernels})
        spills = sum(kernel.spill_bytes for kernel in proof.kernels)
        extra = f"; registers {registers}, spilled bytes {spills}" if registers else ""
        flag = "; PTX only: the driver compiled it at load" if proof.ptx_only else ""
        compiler = "" if isinstance(proof.compiler, Missing) else f"{proof.compiler}; "
        yield Fact(trace.solution, f"{compiler}{targets}{extra}{flag}; source {proof.source[:12]}")


def reproduce(bundle: Bundle) -> list[str]:
    """Return the commands that check and repeat this."""
    name = bundle.name
    return [f"roofmark verify {name}", f"roofmark judge {name}", f"roofmark rerun {name}"]


def samples(bundle: Bundle, tier: str) -> Iterator[dict[str, object]]:
    """Yield the median of every visit of a tier: solution, workload, process, start, seconds."""
    for trace in bundle.traces():
        if isinstance(trace.outcome, Passed):
            yield from _visits(trace, trace.outcome, tier)


def _visits(trace: Trace, outcome: Passed, tier: str) -> Iterator[dict[str, object]]:
    for measurement in outcome.measurements:
        if measurement.tier != tier:
            continue
        for visit in measurement.visits:
            ordered = sorted(visit.samples)
            yield {
                "solution": trace.solution,
                "workload": trace.workload,
                "process": trace.process,
                "start": visit.start,
                "seconds": ordered[len(ordered) // 2],
            }
