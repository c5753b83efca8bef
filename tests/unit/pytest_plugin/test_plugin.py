"""Studies as tests: what is collected, selected, measured, and how each decision comes out.

The bench is replaced by drawn samples; everything else is the plugin as pytest loads it.
"""

import shutil
import subprocess
import sys

import pytest

import roofmark.analysis.gate  # noqa: F401 (numpy is loaded once; pytester forgets what it loads)
from roofmark import api
from roofmark.gating import pin
from roofmark.loading import load_study
from roofmark.narrowing import narrow_study
from roofmark.testing import FAILURES, simulated_traces, small_environment, write_bundle

pytest_plugins = ["pytester"]

STUDY = """
import roofmark as rm

study = rm.Study(
    definition=rm.Definition(
        name="rmsnorm",
        axes={"n": rm.VAR, "d": 4096},
        inputs={"x": rm.Tensor("n d", "bfloat16")},
        outputs={"y": rm.Tensor("n d", "bfloat16")},
        reference="reference.py::rmsnorm",
        tolerance=rm.Tolerance(rms=4e-3),
        flops="4*n*d",
        traffic="4*n*d",
    ),
    workloads=[rm.Workload(axes={"n": n}) for n in (1, 4096)],
    solutions=[rm.Solution(n, "own.py::rmsnorm") for n in ("eager", "fast", "slow", "wild")],
    baseline="eager",
    wrong=[rm.Solution("wrong", "own.py::rmsnorm")],
)
"""
OWN = "def rmsnorm(x):\n    return x\n"


@pytest.fixture
def studies(pytester, monkeypatch):
    """Lay out studies/rms; the bench draws fast x2, slow x0.5, wild undecided; count its runs."""
    folder = pytester.mkpydir("studies") / "rms"
    folder.mkdir()
    (folder / "study.py").write_text(STUDY)
    for name in ("reference.py", "own.py"):
        (folder / name).write_text(OWN)
    runs = []

    def run(study, output, *, options, progress=None):
        if options.force:
            shutil.rmtree(output, ignore_errors=True)
        asked = narrow_study(load_study(study).study, options)
        runs.append(
            (sorted(w.id for w in asked.workloads), sorted(s.name for s in asked.solutions))
        )
        wanted = {"fast": 2.0, "slow": 0.5, "wild": 1.02} | run.fates
        ratios = {s.name: wanted[s.name] for s in asked.solutions if s.name in wanted}
        traces = simulated_traces(asked, ratios=ratios, seed=3, device="cpu")
        return write_bundle(output, asked, traces, small_environment("cpu"))

    run.fates = {}
    monkeypatch.setattr(api, "run", run)
    run.seen = runs
    return run


def ask(pytester, *words):
    return pytester.runpytest_inprocess(
        "-p", "roofmark.pytest_plugin", "-p", "no:cacheprovider", "-rA", *words
    )


def test_without_the_option_nothing_is_collected_or_imported(pytester, studies):
    assert ask(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not studies.seen
    code = (
        "import sys, roofmark.pytest_plugin\n"
        "heavy = {'torch', 'numpy', 'scipy', 'msgspec'} & set(sys.modules)\n"
        "own = [m for m in sys.modules if m.startswith('roofmark') and 'plugin' not in m]\n"
        "sys.exit(f'{heavy} {own}' if heavy or own != ['roofmark'] else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_each_decision_has_its_outcome(pytester, studies):
    result = ask(pytester, "--roofmark", "--roofmark-bundles", "kept")
    result.assert_outcomes(passed=2, failed=2, skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "PASSED *study.py::fast?n1?",
            "FAILED *study.py::slow?n4096?*",
            "SKIPPED *undecided: *1.02*over eager*",
            "*fail: slower: 0.50*over eager*",
            "bundle: kept/rms",
        ]
    )
    assert studies.seen == [(["n1", "n4096"], ["eager", "fast", "slow", "wild"])]
    assert api.judge(pytester.path / "kept" / "rms").bundle
    again = ask(pytester, "--roofmark", "--roofmark-strict", "--roofmark-bundles", "kept")
    again.assert_outcomes(passed=2, failed=4)
    assert (pytester.path / "kept" / "rms-2" / "manifest.json").exists()


def test_only_what_is_selected_is_measured(pytester, studies):
    ask(pytester, "--roofmark", "-k", "fast and n4096").assert_outcomes(passed=1, deselected=5)
    assert studies.seen == [(["n4096"], ["eager", "fast"])]


@pytest.mark.parametrize("kind", ["incorrect", "crashed", "build_failed"])
def test_what_has_no_speed_fails_and_says_why(pytester, studies, kind):
    studies.fates = {"fast": FAILURES[kind]}
    result = ask(pytester, "--roofmark", "-k", "fast and n4096")
    result.assert_outcomes(failed=1, deselected=5)
    result.stdout.fnmatch_lines([f"*fail: invalid: {kind.replace('_', ' ')}*", "*RM50*"])


def test_a_pin_decides_in_place_of_the_baseline(pytester, studies):
    ask(pytester, "--roofmark", "--roofmark-bundles", "old", "-k", "slow or fast")
    pin("old/rms", "pin.json")
    same = ask(pytester, "--roofmark", "--roofmark-baseline", "pin.json", "-k", "slow or fast")
    same.assert_outcomes(passed=4, deselected=2)
    studies.fates = {"fast": 1.5}
    worse = ask(pytester, "--roofmark", "--roofmark-baseline", "pin.json")
    worse.assert_outcomes(passed=2, failed=2, skipped=2)
    worse.stdout.fnmatch_lines(["*+33.*slower beyond chance*", "*not pinned*"])
    broken = ask(pytester, "--roofmark", "--roofmark-baseline", "none.json", "-k", "fast")
    broken.assert_outcomes(failed=2, deselected=4)
    broken.stdout.fnmatch_lines(["*RM433*"])


MARKED = """
import pytest

@pytest.mark.roofmark("studies/rms", solutions=["fast"])
def test_fast(roofmark_cell):
    assert roofmark_cell.speedup.low > {least}

@pytest.mark.xfail(reason="known to be slow", strict=True)
@pytest.mark.roofmark("studies/rms", solutions="slow", workloads="n1")
def test_slow(roofmark_cell):
    pass
"""


def test_a_marked_function_gets_its_cells(pytester, studies):
    pytester.makepyfile(test_own=MARKED.format(least=1.5))
    ask(pytester, "test_own.py").assert_outcomes(skipped=2)
    assert not studies.seen
    ask(pytester, "--roofmark", "test_own.py").assert_outcomes(passed=2, xfailed=1)
    pytester.makepyfile(test_own=MARKED.format(least=2.5))
    ask(pytester, "--roofmark", "test_own.py").assert_outcomes(failed=2, xfailed=1)


def test_what_cannot_be_read_is_an_error_with_a_mend(pytester, studies):
    (pytester.path / "studies" / "rms" / "study.py").write_text("study = 3\n")
    result = ask(pytester, "--roofmark")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*RM101*", "*End it with: study = rm.Study(...)*"])
    wrong = '@pytest.mark.roofmark("studies/rms", solution="x")\ndef test_x(roofmark_cell): pass\n'
    pytester.makepyfile(test_own="import pytest\n" + wrong)
    assert ask(pytester, "--roofmark", "test_own.py").ret != 0
