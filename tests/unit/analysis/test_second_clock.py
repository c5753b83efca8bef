"""What batches from outside say against samples, from traces to the verdict."""

import pytest
from msgspec.structs import replace
from sample import make_environment, make_passed, make_run, make_study, make_trace, role_of
from test_rules import finding, judge

from roofmark.bystanders import NO_BYSTANDERS, Bystanders
from roofmark.evidence import Batch, CpuReading, Discard, Incorrect, Sign
from roofmark.outer_clock import look_from_outside
from roofmark.records import Missing

SAMPLE, CALLS, EMPTY = 1e-3, 4, 5e-4


def _traces(study, ratios, *, processes=6, empty=None, sample=SAMPLE):
    """ratios: solution -> batch over samples, one number or one for each process."""
    empty = empty or {}
    names = [s.name for s in study.solutions] + [f"{study.baseline}~twin"]
    traces = []
    for process in range(processes):
        for name in names:
            ratio = ratios.get(name, 1.0)
            ratio = ratio[process] if isinstance(ratio, list) else ratio
            passed = make_passed([[sample * (1 + 1e-3 * k) for k in range(CALLS)]] * 4, tier="call")
            around = empty.get(name, EMPTY)
            batch = Batch(
                tier="call", calls=CALLS, seconds=around + ratio * CALLS * sample, empty=around
            )
            # A second one that noise made long.
            slow = replace(batch, seconds=3 * batch.seconds)
            passed = replace(passed, batches=(slow, batch))
            traces.append(
                make_trace(study.workloads[0].id, name, process, passed, role_of(study, name))
            )
    return traces


def _state(ratios, name="fast", **more):
    study = make_study()
    verdict = judge(study, _traces(study, ratios, **more), device="cpu", run=make_run("cpu"))
    found = [f for f in verdict.findings if f.code == "RM508"]
    return next((f.state for f in found if f.solution == name), found[0].state)


def test_agreeing_clocks_are_silent():
    assert _state({"fast": 1.05}) == "silent"


def test_a_solution_that_is_never_as_fast_as_it_says_is_refused():
    study = make_study()
    verdict = judge(study, _traces(study, {"fast": 2.0}), device="cpu", run=make_run("cpu"))
    found = finding(verdict, "RM508", "fast")
    assert found.state == "fires" and found.moves == "invalid" and "2.0x" in found.message
    assert next(c for c in verdict.cells if c.solution == "fast").decision == "invalid"
    # The others of the same study are not.
    assert not [f for f in verdict.findings if f.code == "RM508" and f.solution != "fast"]


def test_lying_in_most_processes_is_enough_and_noise_in_few_is_not():
    assert _state({"fast": [2.0, 2.0, 1.1, 2.0, 2.0, 2.0]}) == "fires"
    assert _state({"fast": [2.0, 2.0, 1.1, 1.1, 1.1, 1.1]}) == "silent"


@pytest.mark.parametrize("factors", [[4.0], [1.6, 3.0, 9.0, 30.0]])
@pytest.mark.parametrize(
    ("lies", "processes", "level", "codes"),
    [
        (1, 2, 0.95, set()),
        (3, 6, 0.95, set()),
        (3, 6, 0.9, {"RM517"}),
        (2, 6, 0.9, set()),
        (3, 12, 0.95, set()),
        (3, 64, 0.95, set()),
        (4, 12, 0.95, {"RM517"}),
        (6, 12, 0.95, {"RM517"}),
        (4, 64, 0.95, {"RM517"}),
        (12, 24, 0.95, {"RM517"}),
        (7, 12, 0.95, {"RM508"}),
    ],
)
def test_lies_in_fewer_than_most_processes_buy_no_verdict(lies, processes, level, codes, factors):
    """Not where the study accepts that processes differ, either: who is silent lies too seldom."""
    study = make_study(processes=(processes, processes), level=level, accept=("RM306", "RM312"))
    ratios = [factors[k % len(factors)] for k in range(lies)] + [1.0] * (processes - lies)
    traces = _traces(study, {"fast": ratios}, processes=processes)
    traces = [_said_quickly(trace, ratios) for trace in traces]
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    fired = {f.code for f in verdict.findings if f.state == "fires" and f.solution == "fast"}
    assert fired & {"RM508", "RM517"} == codes
    assert next(c for c in verdict.cells if c.solution == "fast").decision != "faster"


def _said_quickly(trace, ratios):
    """Let the samples of who lies be what it says: its batches took so many times them."""
    if trace.solution != "fast" or ratios[trace.process] == 1.0:
        return trace
    lie = ratios[trace.process]
    quick = make_passed([[SAMPLE / lie * (1 + 1e-3 * k) for k in range(CALLS)]] * 4, tier="call")
    batches = tuple(
        replace(b, seconds=b.empty + (b.seconds - b.empty) / lie) for b in trace.outcome.batches
    )
    return replace(trace, outcome=replace(quick, batches=batches))


def test_samples_of_next_to_nothing_hide_no_work():
    study = make_study()
    traces = [
        replace(
            t,
            outcome=replace(
                t.outcome, batches=(Batch(tier="call", calls=CALLS, seconds=5e-3, empty=EMPTY),)
            ),
        )
        if t.solution == "fast"
        else t
        for t in _traces(study, {}, sample=1e-9)
    ]
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    assert finding(verdict, "RM508", "fast").state == "fires"


def test_a_lie_in_half_of_the_visits_is_not_made_up_for_by_the_other_half():
    study = make_study()
    traces = [
        replace(t, outcome=replace(t.outcome, measurements=(replace(m, visits=_uneven(m.visits)),)))
        for t in _traces(study, {})
        for m in t.outcome.measurements
        if t.solution == "fast"
    ]
    others = [t for t in _traces(study, {}) if t.solution != "fast"]
    verdict = judge(study, others + traces, device="cpu", run=make_run("cpu"))
    assert finding(verdict, "RM508", "fast").state == "fires"


# As recorded of a thread that is started in every call: 4 ms are a tick of the scheduler.
_TICKS = [[3945, 3785, 660, 590, 596, 594, 587, 661], [3967, 4117, 3779, 625, 583, 617, 584, 565]]


@pytest.mark.parametrize(("batch", "code"), [(14e-3, "RM517"), (30e-3, "RM508")])
def test_calls_of_two_lengths_are_no_lie_and_no_verdict(batch, code):
    study, visits = make_study(), [[1e-6 * each for each in visit] for visit in _TICKS]
    long = Batch(tier="call", calls=8, seconds=batch + EMPTY, empty=EMPTY)
    passed = replace(make_passed(visits, tier="call"), batches=(long,))
    traces = [
        replace(trace, outcome=passed) if trace.solution == "fast" else trace
        for trace in _traces(study, {}, processes=2, sample=6e-4)
    ]
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    fired = {f.code: f for f in verdict.findings if f.state == "fires" and f.solution == "fast"}
    assert fired.keys() & {"RM508", "RM517"} == {code}
    # The median, which a verdict takes, is 0.6 ms; the mean that a batch holds, 1.6.
    assert code == "RM508" or "mean is far above" in fired[code].message


def test_a_process_whose_samples_were_all_discarded_has_no_uneven_calls():
    study = make_study()
    gone = tuple(Discard(sample=k, reason="launch not hidden") for k in range(CALLS))
    traces = [
        replace(t, outcome=replace(t.outcome, measurements=(_without(m, gone),)))
        if t.solution == "fast" and t.process == 0
        else t
        for t in _traces(study, {})
        for m in t.outcome.measurements
    ]
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    assert not [f for f in verdict.findings if f.code == "RM517" and f.state == "fires"]


def _without(measurement, discarded):
    return replace(
        measurement, visits=tuple(replace(v, discarded=discarded) for v in measurement.visits)
    )


def _uneven(visits):
    """Next to nothing in every other visit, twice as much in between: halfway it is the truth."""
    shares = (1e-3, 2.0) * len(visits)
    return tuple(
        replace(v, samples=tuple(share * s for s in v.samples))
        for v, share in zip(visits, shares, strict=False)
    )


def test_a_lying_baseline_is_refused_as_well():
    assert _state({"base": 2.0}, name="base") == "fires"


@pytest.mark.parametrize(("quick", "accused"), [(False, []), (True, ["fast"])])
def test_a_lie_beside_slow_empty_batches_is_told_by_one_more_of_the_baseline(quick, accused):
    study, work = make_study(), CALLS * SAMPLE
    names = ("fast", study.baseline, f"{study.baseline}~twin")
    # Everybody's empty batch came late by as much as the calls take, and the one batch in time.
    late = {name: EMPTY + work for name in names}
    look = Batch(tier="call", calls=CALLS, seconds=EMPTY, empty=EMPTY, rounds=0)
    traces = [
        replace(t, outcome=replace(t.outcome, batches=(*t.outcome.batches, look)))
        if quick and t.solution == study.baseline
        else t
        for t in _traces(study, dict.fromkeys(names[1:], 0.0), empty=late)
    ]
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    fired = [f for f in verdict.findings if f.code == "RM508" and f.state == "fires"]
    assert [f.solution for f in fired] == accused


@pytest.mark.parametrize("ratio", [1.3, 2.0])
def test_a_slow_empty_batch_hides_no_more_than_the_allowance(ratio):
    # Its own empty batch is made as long as half of the work; anybody else's tells better.
    state = _state({"fast": ratio}, empty={"fast": EMPTY + 0.5 * CALLS * SAMPLE})
    assert state == "fires"


def test_a_host_that_disturbs_the_baseline_tells_nothing():
    assert _state({"fast": 2.0, "base": 3.0, "base~twin": 2.9}, name="fast") == "unknown"
    study = make_study()
    traces = _traces(study, {"fast": 2.0, "base": 3.0, "base~twin": 2.9})
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    assert finding(verdict, "RM517", "fast").moves == "undecided"


def test_cpu_time_clears_where_load_made_every_batch_long():
    study = make_study()
    traces = _traces(study, {"fast": 3.0})
    for number, trace in enumerate(traces):
        busy = tuple(
            replace(b, busy=1e-4 + CALLS * SAMPLE, empty_busy=1e-4) for b in trace.outcome.batches
        )
        traces[number] = replace(trace, outcome=replace(trace.outcome, batches=busy))
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    fired = [f for f in verdict.findings if f.state == "fires" and f.solution == "fast"]
    assert not {"RM508", "RM517"} & {f.code for f in fired}


UNKNOWN = Missing(reason="not known")


def _told(bystanders, held, *, load=0.5, online=UNKNOWN):
    """The codes that accuse a solution whose batches take twice what it says, and the baseline."""
    study, environment = make_study(), make_environment("cpu")
    environment = replace(environment, cpu=replace(environment.cpu, online=online))
    traces = []
    for trace in _traces(study, {"fast": 2.0}):
        share = held if trace.solution == "fast" else 0.0
        batches = tuple(
            replace(b, held=share if isinstance(share, Missing) else share * b.seconds)
            for b in trace.outcome.batches
        )
        reading = CpuReading(at=0.0, stolen=0.0, preempted=0, load=load)
        more = {"batches": batches, "bystanders": bystanders, "readings": (reading,)}
        traces.append(replace(trace, outcome=replace(trace.outcome, **more)))
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"), environment=environment)
    return {
        f.code
        for f in verdict.findings
        if f.state == "fires" and f.solution == "fast" and f.code in ("RM508", "RM517")
    }


NO_ONE = Bystanders(cores=0.0, stolen=0.0)
QUIET, OTHERS = Bystanders(cores=0.03, stolen=0.0), Bystanders(cores=0.9, stolen=0.0)


@pytest.mark.parametrize(
    ("bystanders", "held", "load", "code"),
    [
        # Nobody else was there, whatever the load average says.
        (QUIET, 0.0, 40.0, "RM508"),
        # Its threads waited for one another beside idle cores: somebody has put them there.
        (QUIET, 0.7, 40.0, "RM508"),
        (QUIET, UNKNOWN, 40.0, "RM508"),
        # Somebody was, and had its cores for as long as it is late; or had them not.
        (OTHERS, 0.7, 0.5, "RM517"),
        (OTHERS, 0.1, 0.5, "RM508"),
        (OTHERS, UNKNOWN, 0.5, "RM517"),
        (OTHERS, 2.0, 0.5, "RM517"),
        # What a hypervisor takes is no wait of a thread.
        (Bystanders(cores=0.03, stolen=0.4), 0.0, 0.5, "RM517"),
        # An older bundle: all that is known is the load.
        (NO_BYSTANDERS, UNKNOWN, 40.0, "RM517"),
        (NO_BYSTANDERS, UNKNOWN, 0.5, "RM508"),
    ],
)
def test_only_what_others_did_is_an_excuse(bystanders, held, load, code):
    assert _told(bystanders, held, load=load) == {code}


def test_the_load_of_a_host_with_cores_to_spare_is_no_excuse():
    assert _told(NO_BYSTANDERS, UNKNOWN, load=40.0, online=64) == {"RM508"}


# Milliseconds of (batch, empty, CPU time, waits) of numpy_view in the corpus, of samples of 0.3 ms,
# two process sets: recorded on two cores of a host on which nobody else ran there. Threads of
# OpenBLAS spin for 60 ms after a product. CPU time is 0 where the host had births.
_SPINS = (
    (
        (68.79, 63.96, 0.0, 64.08), (10.56, 8.45, 21.81, 4.23), (10.26, 63.94, 21.65, 4.29),
        (70.82, 7.71, 0.0, 64.80), (10.22, 68.85, 0.0, 4.29), (72.67, 67.92, 142.76, 68.07),
        (8.25, 68.04, 14.91, 2.84), (68.10, 68.38, 133.88, 63.62), (10.08, 66.41, 0.0, 4.31),
    ),
    (
        (68.74, 68.26, 0.0, 65.14), (73.71, 67.51, 147.9, 68.17), (75.83, 76.33, 0.0, 71.28),
        (70.23, 80.16, 139.27, None), (69.87, 64.29, 0.0, 64.49), (69.47, 64.58, 138.66, 65.30),
        (60.83, 75.34, 0.0, 56.58), (69.47, 67.38, 139.5, 63.26), (67.45, 70.85, 0.0, 63.10),
    ),
)  # fmt: skip


def _spinning(*, share=1.0, signs=()):
    """What accuses it. share: of the CPU time that it took. signs: what else was seen of it."""
    study, environment = make_study(), make_environment("cpu")
    environment = replace(environment, cpu=replace(environment.cpu, cores=2))
    others = (Batch(tier="call", calls=8, seconds=6.3e-3, empty=3.9e-3),)
    traces = []
    for trace in _traces(study, {}, processes=2, sample=3e-4):
        more = {"bystanders": NO_ONE, "batches": others}
        if trace.solution == "fast":
            more |= {"batches": _recorded(_SPINS[trace.process], share), "signs": signs}
        traces.append(replace(trace, outcome=replace(trace.outcome, **more)))
    verdict = judge(study, traces, device="cpu", environment=environment, run=make_run("cpu"))
    fired = [f for f in verdict.findings if f.state == "fires" and f.solution == "fast"]
    return {f.code: f.message for f in fired if f.code in ("RM508", "RM517")}


def _recorded(rows, share):
    return tuple(
        Batch(
            tier="call", calls=8, seconds=batch * 1e-3, empty=empty * 1e-3,
            busy=share * busy * 1e-3, held=UNKNOWN if held is None else held * 1e-3,
        )
        for batch, empty, busy, held in rows
    )  # fmt: skip


def test_threads_that_fill_all_cores_are_late_and_accuse_nobody():
    assert "its own threads filled all cores" in _spinning()["RM517"]


def test_threads_that_wait_beside_idle_cores_are_no_excuse():
    assert set(_spinning(share=0.5)) == {"RM508"}


def test_who_fills_the_cores_unasked_has_no_excuse():
    assert set(_spinning(signs=(Sign(kind="restless", text="it kept 1.0 cores busy"),))) == {
        "RM508"
    }


def test_cpu_time_that_is_not_known_everywhere_clears_by_what_is_known():
    batches = [
        Batch(tier="call", calls=4, seconds=9e-3, empty=1e-3, busy=busy, empty_busy=5e-4)
        for busy in (0.0, 4.5e-3, 6e-3)
    ]
    seen = look_from_outside(batches, batches, 1e-3, device="cpu", stored=0, cpu=True)
    assert seen.seconds == pytest.approx(4e-3)
    unknown = [replace(b, busy=0.0) for b in batches]
    seen = look_from_outside(unknown, unknown, 1e-3, device="cpu", stored=0, cpu=True)
    assert seen.seconds == pytest.approx(8e-3)


def test_a_batch_too_short_for_the_outer_clock_is_unknown():
    assert _state({"fast": 2.0}, sample=1e-6) == "unknown"


def test_the_batch_nearest_to_its_samples_counts_whatever_its_rounds():
    # 3 ms for the first launch of a graph of many kernels, which an empty batch does not have.
    batches = [
        Batch(tier="graph", calls=8, seconds=1e-3 + 3e-3 + r * 8e-3, empty=1e-3, rounds=r)
        for r in (1, 2, 8)
    ]
    seen = look_from_outside(batches, batches, 1e-3, device="cuda", stored=0, cpu=False)
    assert (seen.seconds, seen.said) == (pytest.approx(67e-3), pytest.approx(64e-3))
    # A graph that is shorter than its own launch is made again no sooner.
    seen = look_from_outside(batches[2:], batches, 1e-9, device="cuda", stored=0, cpu=False)
    assert seen.said == pytest.approx(8 * 20e-6)


def _looked(own, others):
    return look_from_outside(own, [*own, *others], 1e-4, device="cpu", stored=0, cpu=False)


def _batch(calls, *, call=2e-4, around=3e-3, each=1e-5):
    """A batch of calls that take twice what they say; what surrounds them grows with the calls."""
    empty = around + calls * each
    return Batch(tier="call", calls=calls, seconds=empty + calls * call, empty=empty)


def test_a_longer_batch_shows_what_a_short_one_hides():
    # What surrounds 8 calls was 1 ms less than usual.
    short = replace(_batch(8), seconds=_batch(8).seconds - 1e-3)
    seen = _looked([short], [_batch(8)])
    assert seen.seconds < 1.25 * seen.said
    # The one nearest to its samples is judged: with more of them, that is a longer one's turn.
    seen = _looked([replace(_batch(32), seconds=_batch(32).seconds - 1e-3)], [_batch(32)])
    assert seen.seconds > 1.25 * seen.said + seen.slack


def test_where_a_few_batches_are_long_only_they_count():
    lucky, long = replace(_batch(8), seconds=_batch(8).seconds - 1e-3), _batch(32)
    for number, ratio in ((2, 0.75), (3, 2.0)):
        seen = _looked([lucky, *[long] * number], [_batch(8), long])
        assert seen.seconds / seen.said == pytest.approx(ratio)


def test_what_surrounds_a_batch_is_told_by_empty_ones_of_as_many_calls():
    own = [_batch(8), _batch(32)]
    seen = _looked(own, [_batch(8), _batch(32)])
    assert seen.seconds / seen.said == pytest.approx(2.0)


def test_slow_empty_batches_hide_no_more_where_nobody_else_made_so_many_calls():
    slow = replace(_batch(32), seconds=_batch(32).seconds + 50e-3, empty=_batch(32).empty + 50e-3)
    alone = _looked([slow], [_batch(8)])
    # Four times what surrounds 8 calls, and the allowance of 32: 20 us each, and no outputs.
    assert alone.seconds == pytest.approx(slow.seconds - 4 * _batch(8).empty - 32 * 20e-6)
    beside = _looked([slow], [_batch(8), _batch(32)])
    assert beside.seconds == pytest.approx(slow.seconds - _batch(32).empty - 32 * 20e-6)


def test_short_batches_that_noise_made_long_accuse_nobody():
    # 4 us of calls under a slack of 110 us: two of six are late by 0.4 ms, as on a busy host.
    late = [100.0, 1.0, 100.0, 1.0, 1.0, 1.0]
    assert _state({"fast": late}, sample=1e-6) == "unknown"


def test_bundles_without_batches_are_unknown():
    study = make_study()
    traces = [
        replace(t, outcome=replace(t.outcome, batches=())) for t in _traces(study, {"fast": 2.0})
    ]
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    assert finding(verdict, "RM508").state == "unknown"


@pytest.mark.parametrize(
    ("kind", "code"),
    [("patched", "RM510"), ("device", "RM511"), ("spoiled", "RM512"), ("late", "RM513"),
     ("replayed", "RM514"), ("copied", "RM515"), ("rounded", "RM516")],
)  # fmt: skip
def test_signs_reach_their_rules(kind, code):
    study = make_study()
    traces = _traces(study, {})
    signs = (Sign(kind=kind, text="it was seen"),)
    for number, trace in enumerate(traces):
        if trace.solution == "fast":
            wrong = Incorrect(build="b", checks=(), reason="output y is wrong", signs=signs)
            traces[number] = replace(trace, outcome=wrong)
    verdict = judge(study, traces, device="cpu", run=make_run("cpu"))
    assert finding(verdict, code, "fast").message == "it was seen"
