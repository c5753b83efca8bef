"""Citing: what evidence gives, and how the numbers of a text are matched with it."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from roofmark.analysis.cite import check_text, values
from roofmark.analysis.cite.records import Unread
from roofmark.analysis.cite.subjects import Evidence
from roofmark.analysis.cite.values import collect_evidence
from roofmark.analysis.judge import judge_bundle
from roofmark.answers import Answer, Answers
from roofmark.bundle import open_bundle
from roofmark.citing import cite
from roofmark.cli import main
from roofmark.errors import ImportFailed
from roofmark.foreign import (
    Complete,
    Figure,
    Figures,
    Imported,
    KernelRow,
    KernelTable,
    Metric,
    Partial,
    Profile,
    Profiles,
    Samples,
    Series,
    Source,
)
from roofmark.records import Missing, encode
from roofmark.reports.citations import citations_text

CASES = Path(
    os.environ.get("ROOFMARK_CASES") or Path(__file__).parents[3].parent / "shared" / "cases"
)
ABSENT = Missing(reason="absent")


def evidence(name, *contents, completeness=None):
    source = Source(name=name, format="made", size=1, sha256="0" * 64, tool=ABSENT)
    made = Imported(
        source=source, completeness=completeness or Complete(), contents=contents, notes=()
    )
    return Evidence(name, made)


def series(name, micros, warm_up=1, label="elapsed_us"):
    seconds = tuple(each * 1e-6 for each in micros)
    column = Samples(label=label, seconds=seconds, warm_up=warm_up)
    return evidence(name, Series(columns=(column,)))


# Means 120 and 60, medians 118 and 59 without the first; with it means 147.2 and 73.6.
SLOW = series("runs/4cta/t.csv", [256.0, 110.0, 112.0, 118.0, 128.0, 132.0])
FAST = series("runs/32cta/t.csv", [128.0, 55.0, 56.0, 59.0, 64.0, 66.0])
KERNELS = KernelTable(
    kind="gpu",
    rows=(
        KernelRow(
            name="void attn::DecodeKernel<bf16>(float*)",
            calls=1200,
            total=0.75,
            mean=0.000625,
            median=0.00062,
            p95=0.0007,
        ),
        KernelRow(
            name="fused_norm_kernel", calls=2400, total=0.25, mean=ABSENT, median=ABSENT, p95=ABSENT
        ),
    ),
)
COUNTERS = Profiles(
    launches=(
        Profile(
            kernel="wo_kernel",
            launch=0,
            grid=(8, 4, 1),
            block=(128, 1, 1),
            duration=0.001,
            metrics={
                "gpu__compute_memory_request_throughput.avg.pct_of_peak_sustained_elapsed": Metric(
                    value=8.0559, unit="%"
                ),
                "lts__t_sector_hit_rate.pct": Metric(value=97.328, unit=""),
                "sm__warps_active.avg.pct_of_peak_sustained_active": Metric(value=8.3327, unit="%"),
                "launch__registers_per_thread": Metric(value=58, unit="register/thread"),
                "device__name": Metric(value="GB10", unit=""),
                "smsp__cycles.sum": Metric(value=ABSENT, unit="cycle"),
            },
        ),
    )
)
PROFILE = evidence("ncu/split_1/k.ncu-rep", COUNTERS)


def figure(label, value, unit="tok/s", estimator="mean of 5 repetitions", samples=()):
    return Figure(
        label=label, value=value, unit=unit, estimator=estimator, spread=ABSENT, samples=samples
    )


def check(text, *found):
    return check_text("t.md", text, found).citations


def one(text, *found):
    (citation,) = check(text, *found)
    return citation


def told(citation):
    return citation.status, citation.fault


TABLE = """\
# Sweep
| split | Total CTAs | Mean elapsed (µs) | Speedup vs 4 |
|---:|---:|---:|---:|
| 1 | 4 | **120** | 1.00× |
| 8 | 32 | 60 | 2.00 |
"""


# --- samples -------------------------------------------------------------------------------------
def test_an_estimator_is_told():
    found = one("The mean elapsed with 4 CTAs is 120.0 us.", SLOW, FAST)
    assert told(found) == ("supported", "")
    assert found.truth.estimator == "mean without 1 warm-up"
    assert found.truth.place == "runs/4cta/t.csv"


@pytest.mark.parametrize(
    ("text", "fault", "note"),
    [
        ("The mean elapsed with 4 CTAs is 121.7 us.", "wrong value", ""),
        ("The mean elapsed with 4 CTAs is 120.0 ms.", "wrong unit", "factor of 0.001"),
        ("The median elapsed with 4 CTAs is 120.0 us.", "wrong label", "not the median"),
        ("The mean elapsed with 4 CTAs is 60.00 us.", "wrong label", "32cta"),
    ],
)
def test_a_contradiction_is_told_by_its_kind(text, fault, note):
    found = one(text, SLOW, FAST)
    assert told(found) == ("contradicted", fault)
    assert note in found.note


@pytest.mark.parametrize(
    "text",
    [
        "The mean elapsed is 121.7 us.",  # of which file?
        "It takes 121.7 us with 4 CTAs.",  # by which estimator?
        "The mean elapsed with 16 CTAs is 120.0 us.",  # of a file that is not there
        "The mean elapsed with 4 CTAs is at most 130 us.",
        "The mean elapsed with 4 CTAs is 3 × 50.1 us = 150.3 us.",
        "The mean with 4 CTAs is 121.7 ms/token.",
        "Power was 121.7 W.",
    ],
)
def test_nothing_is_contradicted_without_a_clear_label(text):
    assert {told(each) for each in check(text, SLOW, FAST)} == {("not derivable", "")}


def test_a_table_is_checked_cell_by_cell():
    found = {c.claim.text: told(c) for c in check(TABLE.replace("60 |", "61 |"), SLOW, FAST)}
    assert found["120"] == ("supported", "")
    assert found["61"] == ("contradicted", "wrong value")
    assert found["2.00"] == ("supported", "")


def test_speed_ups_are_ratios_by_equal_estimators():
    found = one("With 32 CTAs the speedup is 2.00x.", SLOW, FAST)
    assert found.status == "supported"
    assert found.truth.estimator == "ratio by median without 1 warm-up"
    wrong = one("With 32 CTAs the speedup is 2.10x.", SLOW, FAST)
    assert told(wrong) == ("contradicted", "wrong value")
    assert wrong.truth.value == pytest.approx(2.0)
    assert one("With 32 CTAs it is 8x as large.", SLOW, FAST).status == "not derivable"


def test_a_text_that_leaves_warm_up_out_is_held_to_it():
    text = "The mean elapsed with 4 CTAs is 142.67 us."
    assert one(text, SLOW).truth.estimator == "mean of all samples"
    found = one(f"{text} All are without warm-up.", SLOW)
    assert told(found) == ("contradicted", "wrong label")


# --- kernels, counters, figures ------------------------------------------------------------------
def test_a_kernel_table_gives_calls_means_totals_shares_and_coverage():
    table = evidence("lower8/kernels.csv", KERNELS)
    text = (
        "`DecodeKernel` has 1,200 calls, a mean of 625.0 µs and 75.0 % of the time. "
        "The total of all GPU kernels is 1.000 s; the top 2 cover 100.0 %."
    )
    found = check(text, table)
    assert {each.status for each in found} == {"supported"}
    assert [each.truth.estimator for each in found[:3]] == ["calls", "mean", "share of the total"]
    wrong = one("`DecodeKernel` has a mean of 725.0 µs.", table)
    assert told(wrong) == ("contradicted", "wrong value")
    assert wrong.truth.value == pytest.approx(0.000625)


def test_the_dram_figure_that_is_none():
    found = one("It reaches 8.06 % of peak DRAM bandwidth.", PROFILE)
    assert told(found) == ("contradicted", "wrong label")
    assert found.truth.label.startswith("gpu__compute_memory_request_throughput")
    assert "no counter of DRAM" in found.note


def test_counters_are_found_by_the_names_of_their_pages():
    text = "| Metric | split 1 |\n|---|---|\n| L2 Hit Rate | 97.3 % |\n| Registers/Thread | 58 |\n"
    assert [each.status for each in check(text, PROFILE)] == ["supported"] * 2
    assert told(one("Achieved occupancy is 9.41 %.", PROFILE)) == ("contradicted", "wrong value")
    other = one("| Metric | split 8 |\n|---|---|\n| L2 Hit Rate | 91.3 % |", PROFILE)
    assert other.status == "not derivable"


def test_figures_of_other_tools_and_their_changes():
    old = evidence("a.json", Figures(settings={"build": "1"}, figures=(figure("pp512", 15648.35),)))
    new = evidence("b.json", Figures(settings={"build": "2"}, figures=(figure("pp512", 13277.98),)))
    found = check("pp512 runs at 13277.98 tok/s, a change of -15.1 %.", old, new)
    assert [each.status for each in found] == ["supported"] * 2
    assert told(one("pp512 runs at 13277.98 ms.", new)) == ("contradicted", "wrong unit")
    assert told(one("pp512 runs at 14277.98 tok/s.", new)) == ("contradicted", "wrong value")


def test_partial_evidence_is_noted():
    part = evidence("a.csv", KERNELS, completeness=Partial(reasons=("17 events were dropped",)))
    assert "17 events" in check_text("t.md", "", [part]).notes[0]


def test_evidence_is_bounded(monkeypatch):
    monkeypatch.setattr(values, "MOST_SUBJECTS", 50)
    rows = tuple(
        KernelRow(name=f"k{n}", calls=1, total=1.0, mean=ABSENT, median=ABSENT, p95=ABSENT)
        for n in range(60)
    )
    index, notes = collect_evidence([evidence("a.csv", KernelTable(kind="gpu", rows=rows))])
    assert len(index.subjects) == 50
    assert "the rest is unread" in notes[0]


# --- any text ------------------------------------------------------------------------------------
PARTS = st.sampled_from(
    ["mean ", "elapsed ", "4 CTAs ", "|", "\n", "---|", "```", "`", "120.0 us", "8.06 %", "DRAM ",
     "2.00x ", "speedup ", "47/50 ", "1,052,228 ", "pp512 ", "=", "~", "-", "± ", "# ", "µ", "e9",
     "DecodeKernel ", "0.0", "99999999999999999999 ms", "1e308 s ", "(", "](", "<!--", "**", "."]
)  # fmt: skip
ALL = (
    SLOW, FAST, PROFILE, evidence("k.csv", KERNELS),
    evidence("f.json", Figures(settings={}, figures=(figure("pp512", 0.0), figure("x", -1e300)))),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=300), st.lists(PARTS, max_size=60).map("".join)))
@example("9" * 24 + "e999 ms and 1e-999 s")
@example("|" * 300 + "\n" + "|-" * 300 + "|\n" + "|1" * 300)
@example("1/1" * 500)
def test_no_text_crashes_it(text):
    found = check_text("t.md", text, ALL)
    lines = text.split("\n")
    for each in found.citations:
        assert 1 <= each.claim.line <= len(lines)
        assert each.claim.column >= 1
    encode(found)
    citations_text(found)


@pytest.mark.parametrize(
    "text",
    ["`" * 20_000, "a/" * 10_000, "1," * 10_000, "[" * 20_000, "<" * 20_000, "1.1." * 5_000,
     "|" * 20_000 + "\n" + "|-" * 9_000, "a" * 20_000, "1 " * 10_000, "a_" * 10_000 + "1 ms",
     "- " * 10_000, "deadbeef1" * 2_000, "/a" * 10_000, "1/" * 10_000, " " * 20_000 + "1 ms"],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_long_repetitions_take_no_long_time(text):
    check(text, SLOW)


# --- bundles, folders, the command ---------------------------------------------------------------
@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    from small import write_bundle

    return write_bundle(tmp_path_factory.mktemp("bundles") / "b")


@pytest.fixture
def folder(tmp_path):
    for name, factor in (("4cta", 2.0), ("32cta", 1.0)):
        rows = [f"{n},{factor * each}" for n, each in enumerate([128, 55, 56, 59, 64, 66])]
        (tmp_path / "e" / name).mkdir(parents=True)
        path = tmp_path / "e" / name / "t.csv"
        path.write_text("launch,elapsed_us\n" + "\n".join(rows) + "\n")
    (tmp_path / "e" / "notes.bin").write_bytes(b"\x00\x01")
    return tmp_path


def call(capfd, *arguments):
    code = main(["cite", *(str(each) for each in arguments)])
    out, err = capfd.readouterr()
    return code, out, err


def test_a_bundle_is_evidence(bundle, tmp_path):
    verdict = judge_bundle(open_bundle(bundle))
    cell = next(each for each in verdict.cells if not isinstance(each.speedup, Missing))
    text = tmp_path / "t.md"
    text.write_text(
        f"On {cell.workload} {cell.solution} has a speedup of {cell.speedup.value:.4f}x."
    )
    (found,) = cite(text, bundle).citations
    assert found.status == "supported"
    text.write_text(f"On {cell.workload} {cell.solution} has a speedup of 77.77x.")
    (found,) = cite(text, bundle).citations
    assert told(found) == ("contradicted", "wrong value")


def test_a_folder_is_read_file_by_file(folder):
    text = folder / "e" / "t.md"
    text.write_text("The mean elapsed with 4 CTAs is 120.0 us over 5 launches.")
    found = cite(text, folder / "e", warm_up=1)
    assert [each.rpartition("e/")[2] for each in found.read] == ["32cta/t.csv", "4cta/t.csv"]
    assert [each.name.rpartition("/")[2] for each in found.unread] == ["notes.bin"]
    assert isinstance(found.unread[0], Unread)
    assert found.citations[0].status == "supported"


def test_exit_codes(folder, capfd):
    text = folder / "t.md"
    text.write_text("The mean elapsed with 4 CTAs is 120.0 us. Power was 300 W.")
    code, out, _ = call(capfd, text, folder / "e", "--warm-up", 1)
    assert (code, "1 supported, 0 contradicted, 1 not derivable" in out) == (0, True)
    assert call(capfd, text, folder / "e", "--warm-up", 1, "--strict")[0] == 1
    text.write_text("The mean elapsed with 4 CTAs is 121.7 us.")
    code, out, _ = call(capfd, text, folder / "e", "--warm-up", 1, "--faults")
    assert code == 1
    assert "120.00 us: mean without 1 warm-up, elapsed_us" in out
    code, out, _ = call(capfd, text, folder / "e", "--json")
    assert json.loads(out)["citations"][0]["fault"] == "wrong value"


def test_no_evidence_is_an_error(folder, capfd):
    text = folder / "t.md"
    text.write_text("14 ms")
    with pytest.raises(ImportFailed, match="RM415"):
        cite(text, folder / "e" / "notes.bin")
    assert call(capfd, text, folder / "e" / "notes.bin")[0] == 2
    assert call(capfd, text, folder / "nowhere")[0] == 2


# --- published texts -----------------------------------------------------------------------------
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the published cases are not here")


@needs_cases
def test_a_published_sweep_whose_figures_no_estimator_gives():
    case = CASES / "wo-k-parallel"
    places = [case / "timing", case / "ncu" / "wo_split_1" / "kernel.ncu-rep"]
    found = cite(case / "summary.md", *places, warm_up=1)
    wrong = [(c.claim.text, c.fault) for c in found.citations if c.status == "contradicted"]
    assert wrong == [
        ("8.39×", "wrong label"),  # the means with the warm-up that the text leaves out
        ("13754", "wrong value"),
        ("5176", "wrong value"),
        ("2693", "wrong value"),
        ("5.11×", "wrong value"),
        ("1639", "wrong value"),
        ("8.39×", "wrong label"),
        ("8.06%", "wrong label"),
    ]
    assert found.count("supported") >= 24


@needs_cases
def test_a_published_table_of_kernels_that_holds():
    case = CASES / "three-leg"
    found = cite(case / "summary.md", case)
    assert found.count("contradicted") == 0
    assert found.count("supported") >= 70


def test_counters_of_a_profiled_bundle_are_evidence(tmp_path):
    bundle = Path(__file__).parents[3] / "evidence/2026-11-21-nvfp4-wo-h200"
    text = tmp_path / "pr.md"
    text.write_text(
        "On B1 the DRAM throughput of torch-bfloat16 is 71.4 %.\n\n"
        "stream2-flight5 is 3.88x as fast as torch.\n"
    )
    found = {each.claim.text: each.status for each in cite(text, bundle).citations}
    assert found["3.88x"] == "supported"
    assert found["71.4 %"] == "supported"


def test_counts_and_accuracy_of_answers_are_cited():
    def answers(label, right, late):
        made = [
            Answer(
                id=str(i), question=ABSENT, expected="7", text=ABSENT, extracted=ABSENT,
                outcome="right" if i < right else "timed out" if i < right + late else "wrong",
                seconds=2.5, finish=ABSENT, tokens=ABSENT,
            )
            for i in range(50)
        ]  # fmt: skip
        return Answers(label=label, rule="gsm8k/1", settings={}, answers=tuple(made))

    text = "The lower8 leg got 47/50 correct (94.0 % accuracy); 48/50 timed out in the off leg.\n"
    counts = {"lower8": (47, 2), "off": (2, 48)}
    legs = [evidence(f"{name}/gsm8k.json", answers(name, *each)) for name, each in counts.items()]
    found = {c.claim.text: c.status for c in check_text("t.md", text, legs).citations}
    assert (found["47/50"], found["48/50"]) == ("supported", "supported")
    assert "contradicted" not in found.values()
