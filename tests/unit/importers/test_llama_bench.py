"""llama-bench in its five forms gives the same numbers, and damage is named."""

import csv
import io
import json

import pytest
from foreign_files import case, figures, never_breaks, read_as, series, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import llama_bench
from roofmark.records import Missing


def row(**changed):
    made = {
        "build_commit": "abc1234",
        "build_number": 6000,
        "model_filename": "models/small-q8.gguf",
        "model_type": "small 1B Q8_0",
        "backends": "CUDA",
        "flash_attn": True,
        "n_prompt": 512,
        "n_gen": 0,
        "n_depth": 0,
        "test_time": "2026-01-02T03:04:05Z",
        "avg_ns": 40_000_000,
        "stddev_ns": 500_000,
        "avg_ts": 12_801.250125,
        "stddev_ts": 160.0,
        "samples_ns": [39_500_000, 40_500_000],
        "samples_ts": [12_962.025316, 12_641.975309],
    }
    made["avg_ts"] = sum(made["samples_ts"]) / 2
    return made | changed


def decode_row(**changed):
    return row(
        n_prompt=0,
        n_gen=128,
        avg_ns=800_000_000,
        avg_ts=160.0,
        samples_ns=[800_000_000],
        samples_ts=[160.0],
        **changed,
    )


ROWS = [row(), decode_row()]


def flat(one):
    return {k: str(int(v)) if isinstance(v, bool) else str(v) for k, v in one.items()
            if not k.startswith("samples")}  # fmt: skip


def as_csv(rows):
    out = io.StringIO()
    out.write(",".join(flat(rows[0])) + "\n")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        flat(one).values() for one in rows
    )
    return out.getvalue()


def as_sql(rows, table="llama_bench"):
    names = ", ".join(flat(rows[0]))
    head = f"CREATE TABLE IF NOT EXISTS {table} (\n  model_filename TEXT\n);\n\n"
    return head + "".join(
        f"INSERT INTO {table} ({names}) VALUES ("
        + ", ".join(f"'{v}'" for v in flat(one).values())
        + ");\n"
        for one in rows
    )


MARKDOWN = """\
| model                          |       size |     params | backend    | ngl |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | --: | --------------: | -------------------: |
| small 1B Q8_0                  |   1.09 GiB |     1.10 B | CUDA       |  99 |           pp512 |    12802.00 ± 160.00 |
| small 1B Q8_0                  |   1.09 GiB |     1.10 B | CUDA       |  99 |   tg128 @ d4096 |        160.00 ± 0.40 |

build: abc1234 (6000)
"""  # noqa: E501


@pytest.mark.parametrize("form", [
    lambda: json.dumps(ROWS, indent=2),
    lambda: "".join(json.dumps(one) + "\n" for one in ROWS),
    lambda: as_csv(ROWS),
    lambda: as_sql(ROWS),
    lambda: as_sql(ROWS, table="test"),
    lambda: "ggml_cuda_init: found 1 device\n" + json.dumps(ROWS, indent=2),
])  # fmt: skip
def test_each_form_gives_rates_times_and_settings(tmp_path, form):
    found = read_as("llama_bench", write(tmp_path, form()))
    assert found.completeness == Complete()
    got = values(found)
    assert got["pp512"] == (pytest.approx(12_802.0003), "tok/s")
    assert got["tg128"] == (160.0, "tok/s")
    assert got["pp512 time"] == (pytest.approx(0.04), "s")
    assert got["tg128 time"] == (pytest.approx(0.8), "s")
    (group,) = figures(found)
    assert group.settings["model_filename"] == "models/small-q8.gguf"
    assert "avg_ts" not in group.settings
    assert found.source.tool == "llama-bench, build abc1234 (6000)"


def test_repetitions_become_series_in_seconds(tmp_path):
    found = read_as("llama_bench", write(tmp_path, json.dumps(ROWS)))
    (columns,) = series(found)
    assert [column.label for column in columns.columns] == ["pp512", "tg128"]
    assert columns.columns[0].seconds == pytest.approx((0.0395, 0.0405))
    rate = figures(found)[0].figures[0]
    assert rate.estimator == "mean of 2 repetitions"
    assert rate.samples == pytest.approx((12_962.025316, 12_641.975309))
    assert rate.spread == 160.0


def test_a_markdown_table(tmp_path):
    found = read_as("llama_bench", write(tmp_path, MARKDOWN))
    assert values(found) == {"pp512": (12802.0, "tok/s"), "tg128 @ d4096": (160.0, "tok/s")}
    (group,) = figures(found)
    assert group.settings["n_gpu_layers"] == "99"
    assert group.settings["build_number"] == "6000"
    assert group.figures[1].spread == pytest.approx(0.4)
    assert found.completeness == Complete() and not found.notes


def test_a_markdown_row_that_was_cut_is_no_figure(tmp_path):
    cut = MARKDOWN[: MARKDOWN.index(" ± 0.40")]
    found = read_as("llama_bench", write(tmp_path, cut))
    assert list(values(found)) == ["pp512"]
    assert isinstance(found.completeness, Partial)
    assert "line 4" in found.completeness.reasons[0]


def test_other_settings_are_other_figures(tmp_path):
    found = read_as("llama_bench", write(tmp_path, json.dumps([row(), row(flash_attn=False)])))
    assert [group.settings["flash_attn"] for group in figures(found)] == ["true", "false"]


def test_a_rate_that_is_the_milliseconds_is_noted(tmp_path):
    wrong = row(avg_ts=40.0, samples_ts=[40.0, 40.0])
    found = read_as("llama_bench", write(tmp_path, json.dumps([wrong])))
    assert any("pp512 says 40 tok/s" in note and "12800 tok/s" in note for note in found.notes)


def test_a_stopped_run_keeps_its_whole_tests(tmp_path):
    text = json.dumps(ROWS, indent=2)
    found = read_as("llama_bench", write(tmp_path, text[: text.rindex("n_gen") + 20]))
    assert "pp512" in values(found) and "tg128" not in values(found)
    assert isinstance(found.completeness, Partial)
    without_end = read_as("llama_bench", write(tmp_path, text.rstrip()[:-1]))
    assert len(values(without_end)) == 4
    assert isinstance(without_end.completeness, Partial)


def test_a_broken_line_does_not_hide_the_next(tmp_path):
    lines = [json.dumps(row()), json.dumps(row())[:90], json.dumps(decode_row())]
    found = read_as("llama_bench", write(tmp_path, "\n".join(lines) + "\n"))
    assert "tg128" in values(found)
    assert "line 2" in found.completeness.reasons[0]


@pytest.mark.parametrize("value", ["nan", 0, None, "n/a", -1.0, [], True, 10**400])
def test_what_is_no_number_is_no_figure(tmp_path, value):
    rows = [row(avg_ts=value, samples_ts=[]), decode_row()]
    found = read_as("llama_bench", write(tmp_path, json.dumps(rows)))
    assert "pp512" not in values(found) and "pp512 time" in values(found)
    assert any(reason.startswith("pp512:") for reason in found.completeness.reasons)


def test_python_nan_is_no_number(tmp_path):
    text = json.dumps([row(avg_ts=float("nan"), stddev_ts=float("nan")), decode_row()])
    found = read_as("llama_bench", write(tmp_path, text))
    assert "pp512" not in values(found)


def test_sql_is_never_run(tmp_path):
    name = "a'); DROP TABLE llama_bench; --"
    found = read_as("llama_bench", write(tmp_path, as_sql([row(), row(model_filename=name)])))
    assert len(figures(found)) == 1
    assert "cannot be split" in found.completeness.reasons[0]
    escaped = as_sql([row(model_filename=name.replace("'", "''"))])
    found = read_as("llama_bench", write(tmp_path, escaped))
    assert figures(found)[0].settings["model_filename"] == name


def test_control_characters_and_halves_of_pairs_are_replaced(tmp_path):
    text = json.dumps([row(model_filename="\x1b[2J<script>\ud800" + "x" * 9000)])
    name = figures(read_as("llama_bench", write(tmp_path, text)))[0].settings["model_filename"]
    assert "\x1b" not in name and "<script>" in name and len(name) <= 4000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '[{"n_prompt": 1, "n_prompt": 2, "avg_ts": 1}]',
        '[{"n_prompt": ' + "[" * 100_000,
        "n_prompt,avg_ts,avg_ts\n1,2,3\n",
        "n_prompt,n_gen,avg_ts\n1,2\n1,0,3\n",
        json.dumps([row(avg_ts=None, avg_ns=None, samples_ts=None, samples_ns=None)]),
    ],
)
def test_what_holds_no_test_is_malformed(tmp_path, text):
    with pytest.raises(ImportFailed) as caught:
        llama_bench.read(llama_bench.ForeignFile(write(tmp_path, text), None))
    assert caught.value.code == "RM416"


@pytest.mark.parametrize(
    "text",
    [
        '[{"n_prompt": 1, "avg_ts": 1}' + ",{}" * 200_001 + "]",
        "n_prompt,avg_ts\n" + "1,2\n" * 200_001,
    ],
)
def test_more_rows_than_any_benchmark_writes(tmp_path, text):
    with pytest.raises(ImportFailed) as caught:
        read_as("llama_bench", write(tmp_path, text))
    assert caught.value.code == "RM417"


def test_a_table_without_a_spread(tmp_path):
    text = "| model | test | t/s |\n|---|---|---|\n| m | tg32 | 9.5 |\n"
    (only,) = figures(read_as("llama_bench", write(tmp_path, text)))[0].figures
    assert only.value == 9.5 and isinstance(only.spread, Missing)


PIECES = st.sampled_from(
    ["[", "]", "{", "}", '"avg_ts"', '"n_prompt"', ":", ",", "1", "NaN", '"', "\n", "\\ud800",
     "INSERT INTO test (", ") VALUES (", "'", ");", "| test | t/s |", "| pp1 | 2 ± x |", "|",
     "n_prompt,avg_ts\n", "1e999", "±", "\x00", "9" * 5000, json.dumps(row()), "null"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PIECES, max_size=12).map("".join) | st.text() | st.binary())
def test_only_a_refusal_leaves_the_importer(tmp_path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    never_breaks(llama_bench, tmp_path / "fuzz", data)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_wrong_types_anywhere(tmp_path, data):
    odd = st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=6,
    )
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(row())), odd, max_size=6))
    never_breaks(llama_bench, tmp_path / "fuzz", json.dumps([row(**changed)]).encode())


def test_an_engine_log_is_none_of_it():
    assert not llama_bench.recognises(case("imp/70_bench.json").read_bytes())
