"""`roofmark accuracy`, `degenerate` and `compare --replicate` of files, as a process calls them."""

import json

import pytest

TABLE = (
    "config_id,kernel_symbol,n_calls,mean_us,p50_us,p95_us,total_ms\n{leg},k,100,{us},1,1,{ms}\n"
)


def write(path, answers, **row):
    lines = (
        json.dumps({"id": i, "expected": "7", "output": answer} | row)
        for i, answer in enumerate(answers)
    )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def legs(tmp_path):
    return {
        "right": write(tmp_path / "right.jsonl", ["#### 7"] * 60),
        "worse": write(tmp_path / "worse.jsonl", ["#### 8"] * 10 + ["#### 7"] * 50),
        "broken": write(tmp_path / "broken.jsonl", ["!!!!"] * 15 + ["It is 7."] * 45),
    }


def test_thresholds_choose_the_exit_code(call, legs):
    right, worse = legs["right"], legs["worse"]
    assert call("accuracy", right)[0] == 0
    assert call("accuracy", right, worse)[0] == 1
    assert call("accuracy", worse, right)[0] == 0
    assert call("accuracy", right, right)[0] == 3
    assert call("accuracy", right, right, "--ship", "0.1")[0] == 0
    assert call("accuracy", right, worse, "--floor", "0.8")[0] == 0
    assert call("accuracy", right, worse, "--floor", "0.9", "--ship", "0.5")[0] == 1
    code, out, _ = call("accuracy", right, right, worse)
    assert (code, out.count("McNemar exact p")) == (1, 4)


def test_json_holds_what_the_text_says(call, legs, tmp_path):
    code, out, _ = call("accuracy", legs["right"], legs["worse"], "--json")
    (found,) = json.loads(out)["accuracy"]
    assert (code, found["decision"], len(found["lost"])) == (1, "worse", 10)
    summary = tmp_path / "summary.md"
    call("accuracy", legs["right"], legs["worse"], "--summary", summary)
    assert summary.read_text().startswith("## accuracy: worse: ")


def test_usage_is_told(call, legs, tmp_path):
    assert call("accuracy", legs["right"], "--ship", "0.1")[0] == 2
    assert call("accuracy", legs["right"], "--field", "text")[0] == 2
    code, _, err = call("accuracy", legs["right"], "--rule", "mine")
    assert (code, "RM419" in err) == (2, True)
    table = tmp_path / "k.csv"
    table.write_text(TABLE.format(leg="x", us=1.0, ms=0.1))
    code, _, err = call("accuracy", table)
    assert (code, "RM415" in err, "holds no answers" in err) == (2, True, True)
    code, _, err = call("compare", legs["right"], legs["worse"])
    assert (code, "roofmark accuracy" in err) == (2, True)


def test_a_soak_of_broken_answers_fails(call, legs, tmp_path):
    code, out, _ = call("degenerate", legs["right"], legs["broken"])
    assert (code, "15 (25.0 %)" in out, "RM605 15" in out) == (1, True, True)
    assert call("degenerate", legs["right"])[0] == 0
    assert call("degenerate", legs["broken"], "--allow", "0.25")[0] == 0
    late = write(tmp_path / "late.jsonl", [None] * 3, error="timed out")
    assert call("degenerate", late)[0] == 3
    arms = tmp_path / "arms.jsonl"
    texts = {"on": "fine", "off": "!!!!"}
    rows = [{"arm": arm, "id": i, "output": texts[arm]} for arm in texts for i in (1, 2)]
    arms.write_text("\n".join(map(json.dumps, rows)))
    code, out, _ = call("degenerate", arms, "--json")
    found = {leg["label"]: len(leg["bad"]) for leg in json.loads(out)["legs"]}
    assert (code, found) == (1, {"on": 0, "off": 2})


def test_what_a_file_lost_is_told(call, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "output": "7", "expected": "7"}\n{"id": 2, "outp')
    code, _, err = call("accuracy", path)
    assert (code, "note: a.jsonl: line 2" in err) == (0, True)


def test_runs_of_legs_replicate(call, tmp_path):
    for run, slow in (("one", 2.0), ("two", 2.02), ("three", 0.5)):
        (tmp_path / run).mkdir()
        for leg, us in (("a", 1.0), ("b", slow)):
            text = TABLE.format(leg=leg, us=us, ms=us / 10)
            (tmp_path / run / f"{leg}.csv").write_text(text)
    one, two, three = (
        f"{tmp_path / run / 'a.csv'},{tmp_path / run / 'b.csv'}" for run in ("one", "two", "three")
    )
    code, out, _ = call("compare", one, two, "--replicate")
    assert (code, out.startswith("reproduced: ")) == (0, True)
    assert call("compare", one, three, "--replicate")[0] == 1
    steps = ("--per-step", "a=2*k", "--per-step", "b=2*k")
    code, out, _ = call("compare", one, two, "--replicate", *steps, "--json")
    assert (code, json.loads(out)["comparisons"][0]["outcome"]) == (0, "reproduced")
    assert call("compare", one, two, "--per-step", "a=2*k")[0] == 2
    assert call("compare", one, two, "--replicate", "--per-step", "c=2*k")[0] == 2
    assert call("compare", one.split(",")[0], two.split(",")[0], "--replicate")[0] == 2
