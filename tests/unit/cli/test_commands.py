"""Every command: its exit code, what is data, what is talk."""

import json
import shutil

import pytest
from msgspec import structs
from sample import make_environment, make_run, make_study
from small import write_bundle, write_study

from roofmark import api, cli
from roofmark.analysis.verdict import Replication
from roofmark.bundle import BundleWriter, open_bundle, verify_bundle
from roofmark.cli import new
from roofmark.loading import load_study
from roofmark.options import Progress
from roofmark.records import digest
from roofmark.study import Solution


def errors(text):
    return json.loads(text)["errors"]


# --- usage ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["judge"], ["judge", "--nonsense", "x"], ["run"],
     ["run", "--device", "tpu", "s"], ["run", "s", "--processes", "a:b"],
     ["run", "s", "--resume", "b"], ["new", "x", "-l", "rust"],
     ["run", "s", "--tier", "fast"], ["run", "s", "--time-limit", "soon"]],
)  # fmt: skip
def test_usage_is_2_and_talk(call, arguments):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err
    code, out, err = call(*arguments, "--json")
    assert (code, out) == (2, "")
    assert errors(err)[0]["code"] == "usage"


def test_help_and_version(call):
    code, out, _ = call("--help")
    assert code == 0
    assert all(
        name in out
        for name in ["run", "judge", "report", "verify", "rerun", "doctor", "rules", "new"]
    )
    assert call("--version")[1].startswith("roofmark ")


# --- judge ---------------------------------------------------------------------------------------
def test_judge_gives_the_verdict_and_the_same_one_again(call, bundle):
    code, out, _ = call("judge", bundle, "--json")
    verdict = json.loads(out)
    assert code == 0
    assert verdict["bundle"] == open_bundle(bundle).digest
    assert verdict["overall"][0]["decision"] == "faster"
    assert call("judge", bundle, "--json")[1] == out
    code, out, _ = call("judge", bundle)
    assert code == 0
    assert "faster" in out


@pytest.mark.parametrize(("speedup", "code"), [(2.0, 0), (1.0, 0), (0.5, 1)])
def test_the_exit_code_says_what_was_decided(call, tmp_path, speedup, code):
    write_bundle(tmp_path / "b", {"fast": speedup})
    assert call("judge", tmp_path / "b")[0] == code


def test_two_processes_decide_nothing(call, tmp_path):
    write_bundle(tmp_path / "b", {"fast": 2.0}, processes=2, sd=0.2)
    assert call("judge", tmp_path / "b")[0] == 3
    assert call("judge", tmp_path / "b", "--claim", "fast faster")[0] == 3


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ("fast faster", 0),
        ("fast faster 1.9", 0),
        ("fast faster 2.1", 1),
        ("fast slower", 1),
        ("fast same", 1),
        ("none faster", 2),
        ("fast better", 2),
        ("fast faster much", 2),
        ("fast", 2),
    ],
)
def test_claims(call, bundle, claim, code):
    got, _, err = call("judge", bundle, "--claim", claim)
    assert got == code, err


def test_a_claim_inside_the_interval_is_undecided(call, bundle):
    estimate = json.loads(call("judge", bundle, "--json")[1])["overall"][0]["speedup"]
    inside = (estimate["low"] + estimate["high"]) / 2
    assert call("judge", bundle, "--claim", f"fast faster {inside!r}")[0] == 3


def test_a_damaged_bundle_is_4_with_every_file_named(call, tmp_path, bundle):
    copy = tmp_path / "b"
    shutil.copytree(bundle, copy)
    (copy / "run.json").write_text("{}")
    (copy / "more").write_text("")
    for command in ("judge", "report", "rerun"):
        code, out, err = call(command, copy, "--json")
        assert (code, out) == (4, "")
        assert {p["fact"] for p in errors(err)} == {"run.json was changed", "more was added"}
    code, out, _ = call("verify", copy)
    assert code == 4
    assert "run.json was changed" in out and "more was added" in out
    code, out, _ = call("verify", copy, "--json")
    assert json.loads(out)["intact"] is False


def test_verify_gives_the_digest(call, bundle):
    code, out, _ = call("verify", bundle)
    assert code == 0
    assert open_bundle(bundle).digest in out


def test_escape_sequences_do_not_reach_the_terminal(call, tmp_path):
    code, _, err = call("judge", tmp_path / "\x1b[2Jgone")
    assert code == 4
    assert "\x1b" not in err


# --- report --------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_report_does_not_overwrite(call, bundle, tmp_path, suffix):
    page = tmp_path / f"page{suffix}"
    code, _, err = call("report", bundle, "-o", page)
    assert code == 0
    assert err.splitlines()[-1] == f"Wrote {page}"
    page.write_text("mine")
    code, _, err = call("report", bundle, "-o", page, "--json")
    assert code == 2
    assert errors(err)[0]["code"] == "RM409"
    assert page.read_text() == "mine"
    assert call("report", bundle, "-o", page, "--force")[0] == 0
    assert page.read_text() != "mine"
    assert verify_bundle(bundle) == []


def test_report_knows_its_forms(call, bundle, tmp_path):
    code, _, err = call("report", bundle, "-o", tmp_path / "page.pdf", "--json")
    assert (code, errors(err)[0]["code"]) == (2, "RM413")


# --- rules, doctor -------------------------------------------------------------------------------
def test_rules(call):
    listing = json.loads(call("rules", "--json")[1])
    assert {"RM101", "RM301", "RM404"} <= set(listing)
    for code in ("RM104", "rm301", "RM404"):
        got, out, _ = call("rules", code)
        assert got == 0
        assert out.startswith(code.upper())
        assert len(out) > 60
    got, out, err = call("rules", "RM999")
    assert (got, out) == (2, "")
    assert "RM" in err.partition("near")[2]


def test_doctor(call):
    code, out, _ = call("doctor", "--json")
    assert code == 0
    assert json.loads(out)["sections"]
    assert "Processor" in call("doctor")[1]


# --- new -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("languages", [[name] for name in new.SOLUTIONS] + [list(new.SOLUTIONS)])
def test_new_writes_a_sound_study(call, tmp_path, languages):
    folder = tmp_path / "mine"
    options = [word for name in languages for word in ("--language", name)]
    code, _, err = call("new", folder, *options)
    assert code == 0
    assert err.splitlines()[-1] == f"Wrote {folder}"
    study = load_study(folder).study
    assert len(study.solutions) == 1 + len(languages)
    assert "{{" not in (folder / "study.py").read_text()


def test_new_overwrites_nothing_and_writes_nothing_then(call, tmp_path):
    (tmp_path / "eager.py").write_text("mine")
    code, _, err = call("new", tmp_path, "--json")
    assert (code, errors(err)[0]["code"]) == (2, "RM409")
    assert [path.name for path in tmp_path.iterdir()] == ["eager.py"]
    assert call("new", tmp_path, "--force")[0] == 0
    assert (tmp_path / "eager.py").read_text() != "mine"


def test_new_where_nothing_can_be_written(call, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = call("new", tmp_path / "file" / "x", "--json")
    assert (code, errors(err)[0]["code"]) == (2, "RM408")


# --- run: the bench is replaced by a bundle made by hand ----------------------------------------
@pytest.fixture
def bench(monkeypatch):
    """Put a bundle where a run would; return what the run was asked."""
    asked = {}

    def run(study, output, *, options, progress):
        asked.update(study=study, output=output, options=options)
        progress(Progress(done=1, total=2, text="measuring", seconds_left=3.0))
        return open_bundle(write_bundle(output))

    monkeypatch.setattr(api, "run", run)
    return asked


def test_run_hands_over_what_was_asked(call, bench, tmp_path):
    folder = write_study(tmp_path / "s")
    code, out, err = call(
        "run", folder, "-o", tmp_path / "b", "-w", "n1", "-w", "n2", "-s", "cpp", "--device", "cpu",
        "--tier", "call", "--cache", "warm", "--processes", "2:3", "--time-limit", 5, "--confirm",
        "--no-report", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["overall"]
    options = bench["options"]
    assert (options.workloads, options.solutions) == (("n1", "n2"), ("cpp",))
    assert (options.device, options.tier, options.cache) == ("cpu", "call", "warm")
    assert (options.processes, options.time_limit) == ((2, 3), 5.0)
    assert options.confirm and not options.force
    assert err.splitlines()[-1] == f"Wrote {tmp_path / 'b'}"
    assert "measuring 1/2" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "s"]


def test_run_writes_pages_beside_the_bundle_and_never_over_others(call, bench, tmp_path):
    folder = write_study(tmp_path / "s")
    assert call("run", folder, "-o", tmp_path / "b")[0] == 0
    assert sorted(p.name for p in tmp_path.glob("b.*") if p.is_file()) == ["b.html", "b.md"]
    assert verify_bundle(tmp_path / "b") == []
    bench.clear()
    (tmp_path / "c.md").write_text("mine")
    code, _, err = call("run", folder, "-o", tmp_path / "c", "--json")
    assert (code, errors(err)[0]["code"]) == (2, "RM409")
    assert bench == {}


def test_a_wrong_study_is_2_with_every_problem(call, tmp_path):
    folder = write_study(tmp_path, ('baseline="eager"', 'baseline="none", accept=("RM5",)'))
    code, out, err = call("run", folder, "-o", tmp_path / "b", "--json")
    assert (code, out) == (2, "")
    assert {p["code"] for p in errors(err)} == {"RM105", "RM125"}
    assert all(p["where"] and p["meaning"] and p["mend"] for p in errors(err))


def test_ctrl_c_says_what_is_kept(call, monkeypatch, tmp_path):
    def run(study, output, *, options, progress):
        output.mkdir()
        (output / "study.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "run", run)
    code, _, err = call("run", tmp_path, "-o", tmp_path / "b")
    assert code == 130
    assert f"roofmark run --resume {tmp_path / 'b'}" in err
    assert "Traceback" not in err


def test_a_defect_is_70_with_its_traceback(call, monkeypatch, bundle):
    def judge(_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(api, "judge", judge)
    code, out, err = call("judge", bundle)
    assert (code, out) == (70, "")
    assert "defect of roofmark" in err and "ZeroDivisionError: ours" in err


def test_resume(call, monkeypatch, tmp_path):
    asked = []

    def resume(output, *, fleet, progress):
        asked.append((output, fleet))
        return open_bundle(write_bundle(output))

    monkeypatch.setattr(api, "resume", resume)
    assert call("run", "--resume", tmp_path / "b", "--no-report")[0] == 0
    assert asked == [(tmp_path / "b", "")]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("reproduced", 0), ("not reproduced", 1), ("undecided", 3), ("not comparable", 3)],
)
def test_rerun(call, monkeypatch, bundle, tmp_path, outcome, code):
    found = Replication(original="a", again="b", outcome=outcome, solutions=(), differences=())
    monkeypatch.setattr(api, "rerun", lambda *_, **__: found)
    got, out, err = call("rerun", bundle, "-o", tmp_path / "again")
    assert (got, out.splitlines()[0]) == (code, outcome)
    assert err.splitlines()[-1] == f"Wrote {tmp_path / 'again'}"
    assert json.loads(call("rerun", bundle, "--json")[1])["outcome"] == outcome


def test_rerun_lays_out_no_file_by_a_strangers_path(call, tmp_path):
    study = make_study()
    outside = Solution("fast", "../../outside.py::run")
    data = b"def copy(x): pass\ndef run(x): pass\n"
    names = ("base.py", "reference.py", "../../outside.py")
    hostile = structs.replace(
        study,
        solutions=(study.solutions[0], outside),
        files=dict.fromkeys(names, digest(data)),
    )
    with BundleWriter(tmp_path / "b") as writer:
        writer.write("study.json", hostile)
        writer.write("environment.json", make_environment("cpu"))
        writer.write("run.json", make_run("cpu"))
        writer.write_source(data)
        writer.seal({})
    code, _, err = call("rerun", tmp_path / "b", "-o", tmp_path / "again", "--json")
    assert (code, {p["code"] for p in errors(err)}) == (4, {"RM440"})
    assert not (tmp_path / "again").exists()


def test_every_exit_code_is_its_own():
    codes = [cli.HOLDS, cli.FAILS, cli.USAGE, cli.UNDECIDED, cli.DAMAGED, cli.DEFECT]
    assert [*codes, cli.INTERRUPTED] == [0, 1, 2, 3, 4, 70, 130]
