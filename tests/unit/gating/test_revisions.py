"""Two revisions of a study in a git repository: what is checked out, paired, and refused."""

import subprocess

import pytest

from roofmark.errors import BundleError, StudyError
from roofmark.gating.against import gate_against
from roofmark.gating.pairing import pair_studies, paired_study
from roofmark.gating.revisions import at_commit, at_work_tree
from roofmark.loading import load_study
from roofmark.options import AgainstOptions, RunOptions
from tiny import REFERENCE, write_study

FAST = "def line(x):\n    return 2 * x + 1\n"
SLOW = "def line(x):\n    return (x + x) + 1\n"


def git(folder, *words):
    words = ["-c", "user.name=t", "-c", "user.email=t@localhost", *words]
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path):
    """Return the folder of a committed study inside a repository."""
    root = tmp_path / "repository"
    study = write_study(
        root / "kernels" / "line", {"one": FAST, "two": FAST}, sizes=(64, 128), wrong={"off": SLOW}
    )
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "begin")
    return study


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def both(repository, tmp_path):
    was = at_commit(repository, "HEAD", tmp_path / "was")
    return load_study(was.study), load_study(at_work_tree(repository).study)


def pair(repository, tmp_path, **options):
    return pair_studies(*both(repository, tmp_path), lambda name: False, **options)


# --- revisions -----------------------------------------------------------------------------------
def test_a_checkout_is_the_commit_and_leaves_no_trace_of_itself(repository, tmp_path):
    root = repository.parents[1]
    edit(repository / "one.py", "2 * x", "3 * x")
    (repository / "new.py").write_text("")
    git(root, "add", "kernels/line/new.py")
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in root.rglob("*") if p.is_file()}
    was = at_commit(repository, "main", tmp_path / "was")
    now = at_work_tree(repository)
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in root.rglob("*") if p.is_file()}
    assert before == after
    assert (was.study / "one.py").read_text() == FAST and not (was.study / "new.py").exists()
    assert was.name.startswith("main (") and now.name.endswith(", changed")
    assert now.study == repository


@pytest.mark.parametrize("revision", ["nowhere", "--help", "-x", "", "HEAD:kernels", "HEAD^9"])
def test_what_is_no_commit_is_an_error(repository, tmp_path, revision):
    with pytest.raises(StudyError, match="RM436"):
        at_commit(repository, revision, tmp_path / "was")


def test_a_study_that_is_not_there_yet_and_one_outside_of_git(repository, tmp_path):
    root = repository.parents[1]
    other = write_study(root / "kernels" / "other", {})
    with pytest.raises(StudyError, match=r"RM436\]: there is no kernels/other"):
        at_commit(other, "HEAD", tmp_path / "was")
    lone = write_study(tmp_path / "lone", {})
    with pytest.raises(StudyError, match=r"RM436\]: git rev-parse"):
        at_commit(lone, "HEAD", tmp_path / "was")
    with pytest.raises(StudyError, match="RM101"):
        at_commit(root / "nothing", "HEAD", tmp_path / "was")


# --- pairing -------------------------------------------------------------------------------------
def test_what_is_the_same_is_said_and_not_measured(repository, tmp_path):
    edit(repository / "one.py", "def", "# a comment\ndef")
    edit(repository / "two.py", "2 * x", "x * 2")
    found = pair(repository, tmp_path)
    assert found.pairs == ("two",)
    assert found.unchanged == {"honest": "the same source", "one": "the same source"}
    assert pair(repository, tmp_path / "2", unchanged_too=True).pairs == ("honest", "one", "two")


def test_machine_code_is_asked_of_compiled_solutions_alone(tmp_path):
    study = write_study(tmp_path / "r" / "line", {"py": FAST, "c_cpp": "void line() {}\n"})
    git(tmp_path / "r", "init", "--quiet")
    git(tmp_path / "r", "add", ".")
    git(tmp_path / "r", "commit", "--quiet", "-m", "begin")
    edit(study / "py.py", "2 * x", "x * 2")
    edit(study / "c_cpp.cpp", "void", "// another\nvoid")
    found = pair_studies(*both(study, tmp_path), lambda name: True)
    assert (found.pairs, found.unchanged["c_cpp"]) == (("py",), "the same machine code")
    edit(study / "study.py", "c_cpp.cpp::line", "c_cpp.cpp::other")
    (study / "c_cpp.cpp").write_text("void line() {}\nvoid other() {}\n")
    assert "c_cpp" in pair_studies(*both(study, tmp_path / "2"), lambda name: True).pairs


@pytest.mark.parametrize(
    ("file", "old", "new", "field"),
    [
        ("study.py", "rms=1e-6", "rms=1e-2", "definition.tolerance"),
        ("study.py", '"8*n"', '"4*n"', "definition.traffic"),
        (
            "study.py",
            '"x": rm.Tensor("n", "float32")',
            '"x": rm.Tensor("n", "float64")',
            "definition.i",
        ),
        (
            "study.py",
            'axes={"n": n})',
            'axes={"n": n}, values={"x": rm.Uniform()})',
            "workload n64",
        ),
        ("study.py", "(64, 128)", "(256,)", "every workload"),
        ("reference.py", "2 * x + 1", "2 * x + 1.0", "reference reference.py"),
    ],
)
def test_another_question_is_not_compared(repository, tmp_path, file, old, new, field):
    edit(repository / file, old, new)
    with pytest.raises(BundleError, match=rf"RM435\]: {field}") as error:
        pair(repository, tmp_path)
    assert "commit the contract first" in str(error.value)


def test_a_comment_in_the_reference_asks_nothing_else(repository, tmp_path):
    (repository / "reference.py").write_text("# y = 2x + 1\n" + REFERENCE)
    assert pair(repository, tmp_path).pairs == ()


def test_what_one_side_alone_has_is_named(repository, tmp_path):
    edit(
        repository / "study.py",
        'rm.Solution("two", "two.py::line")',
        'rm.Solution("six", "two.py::line")',
    )
    edit(repository / "study.py", "(64, 128)", "(64, 512)")
    edit(repository / "study.py", "blocks=2", "blocks=3, margin=0.5")
    found = pair(repository, tmp_path)
    assert found.only_was == ("solution two", "workload n128")
    assert found.only_now == ("solution six", "workload n512")
    assert {d.field for d in found.differences} == {"protocol.blocks", "protocol.margin"}
    with pytest.raises(StudyError, match="RM130"):
        pair(repository, tmp_path / "2", solutions=("t?",))
    assert pair(repository, tmp_path / "3", solutions=("six", "two")).pairs == ()


def test_the_paired_study_is_sound_and_holds_both(repository, tmp_path):
    edit(repository / "one.py", "2 * x", "x * 2")
    edit(repository / "study.py", 'baseline="honest"', 'baseline="honest", accept=("RM311",)')
    was, now = both(repository, tmp_path)
    study, contenders = paired_study(was, now, ("two", "one"), title="t", ask=now.study.protocol)
    assert study.baseline == "two.was" and study.accept == ()
    assert [(c.name, c.of, c.against) for c in study.contrasts] == [
        ("two", "two.now", "two.was"), ("one", "one.now", "one.was"),
    ]  # fmt: skip
    files = {each.name: dict(each.files) for each in contenders}
    assert files["one.was"] != files["one.now"] and files["two.was"] == files["two.now"]
    again, _ = paired_study(was, now, ("one", "honest"), title="t", ask=now.study.protocol)
    assert again.baseline == "honest.was"


# --- gates that measure nothing ------------------------------------------------------------------
def test_no_change_passes_without_a_bundle(repository, tmp_path):
    gate = gate_against(repository, "HEAD", tmp_path / "bundle")
    assert (gate.decision, gate.cells) == ("pass", ())
    assert set(gate.unchanged) == {"honest", "one", "two"} and not (tmp_path / "bundle").exists()


def test_nothing_in_common_fails(repository, tmp_path):
    for name in ("one", "two"):
        edit(repository / "study.py", f'rm.Solution("{name}"', f'rm.Solution("{name}-new"')
    options = AgainstOptions(run=RunOptions(solutions=("one*", "two*")))
    gate = gate_against(repository, "HEAD", tmp_path / "bundle", options=options)
    assert gate.decision == "fail" and len(gate.only_now) == 2


def test_what_changed_and_cannot_run_here_is_undecided(repository, tmp_path):
    edit(repository / "one.py", "2 * x", "x * 2")
    edit(repository / "study.py", '"one.py::line"', '"one.py::line", requires=("not_there",)')
    gate = gate_against(repository, "HEAD", tmp_path / "bundle")
    assert gate.decision == "undecided"
    assert [(c.solution, c.decision) for c in gate.cells] == [("one", "undecided")]
    assert "not_there" in gate.cells[0].because


def test_a_revision_that_cannot_be_loaded_is_named(repository, tmp_path):
    (repository / "study.py").write_text("study = 1\n")
    git(repository, "commit", "--quiet", "-am", "broken")
    git(repository, "checkout", "--quiet", "HEAD^", "--", "study.py")
    with pytest.raises(StudyError, match=r"RM101(.|\n)*HEAD \("):
        gate_against(repository, "HEAD", tmp_path / "bundle")
