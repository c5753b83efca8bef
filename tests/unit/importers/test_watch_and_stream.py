"""Logs of memory and streamed requests: peaks, gaps, leaks; rates that say what they are of."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from foreign_files import case, figures, never_breaks, read_as, values, write

from roofmark.analysis.trends import follow
from roofmark.errors import ImportFailed
from roofmark.foreign import Partial, Timeline
from roofmark.importers import memory_log, stream_json
from roofmark.reports.foreign import foreign_text

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
GIB = 2.0**30
REQUEST = {
    "label": "full", "ttft_s": 0.5, "total_latency_s": 10.5, "completion_tokens": 101,
    "chunks_with_text": 95, "decode_window_s": 10.0, "decode_tok_per_s": 10.0,
    "max_tokens_requested": 101,
}  # fmt: skip


def block(second, used, container="", unit="Gi"):
    stamp = (BEGIN + timedelta(seconds=second)).isoformat()
    table = (
        f"               total        used        free   available\nMem: 119Gi {used}{unit} 1Gi 9Gi"
    )
    return "\n".join([stamp, table, *([container] if container else []), "---", ""])


def log(path, blocks):
    return read_as("memory_log", write(path, "".join(blocks)))


def course(values, every=30.0, step=0.0, seconds=None):
    seconds = seconds or tuple(every * i for i in range(len(values)))
    line = Timeline(label="x", unit="B", seconds=seconds, values=tuple(values), step=step)
    return follow(line)


def test_a_log_of_free_and_containers(tmp_path):
    name = "docker: engine cpu=101.9% mem=3.5GiB / 119.6GiB"
    found = log(tmp_path, [block(0, 41), block(30, 42, name), block(60, 7.5)])
    lines = {line.label: line for line in found.contents[0].lines}
    assert lines["host used"].values == (41 * GIB, 42 * GIB, 7.5 * GIB)
    assert lines["host used"].step == GIB
    assert lines["host available"].seconds == (0.0, 30.0, 60.0)
    assert (lines["container engine"].seconds, lines["container engine"].values) == (
        (30.0,),
        (3.5 * GIB,),
    )
    assert "host used: 3 readings" in foreign_text(found)


def test_readings_without_figures_and_time_that_goes_back_are_named(tmp_path):
    broken = "2026-03-01T00:01:30+00:00\nfree: command not found\n---\n"
    found = log(tmp_path, [block(0, 41), block(60, 42), broken, block(30, 43)])
    assert isinstance(found.completeness, Partial)
    first, second = found.completeness.reasons
    assert "a reading without any figure" in first
    assert "goes back by 60 s" in second


def test_amounts_without_a_unit_are_refused(tmp_path):
    with pytest.raises(ImportFailed, match="RM419"):
        log(tmp_path, [block(0, 41, unit="")])


def test_a_leak_is_told_from_start_up_and_from_rounding():
    leak = course([1e9 + 2e6 * i for i in range(200)])
    (stretch,) = leak.leaks
    assert stretch.slope == pytest.approx(2e6 / 30, rel=1e-3)
    start_up = course([min(1e9, 5e7 * i) for i in range(200)])
    assert start_up.leaks == ()
    flat = course([1e9 + (5e6 if i % 7 == 0 else 0) for i in range(200)])
    assert flat.leaks == ()
    rounded = course([40 * GIB + (GIB if i > 150 else 0) for i in range(200)], step=GIB)
    assert rounded.leaks == ()


def test_gaps_and_restarts_part_a_course():
    values = [1e9] * 40 + [1e8] * 40
    found = course(values)
    assert [(s.begin, s.end) for s in found.stretches] == [(0.0, 1170.0), (1200.0, 2370.0)]
    assert found.gaps == ()
    seconds = tuple(30.0 * i + (600 if i >= 40 else 0) for i in range(80))
    apart = course([1e9] * 80, seconds=seconds)
    assert [(gap.at, gap.length) for gap in apart.gaps] == [(1170.0, 630.0)]
    assert (apart.peak, apart.peak_at, apart.every) == (1e9, 0.0, 30.0)
    assert course([5.0]).span == 0.0


def test_a_streamed_request(tmp_path):
    found = read_as("stream_json", write(tmp_path, json.dumps(REQUEST)))
    assert values(found)["decode"] == (10.0, "tok/s")
    assert values(found)["time to first token"] == (0.5, "s")
    assert figures(found)[0].settings["completion_tokens"] == "101"
    assert "nothing tells its noise" in found.notes[0]


@pytest.mark.parametrize(
    ("rate", "told"),
    [(10.1, "the first one, which prefill makes"), (9.5, "chunks"), (400.0, "something else")],
)
def test_a_rate_of_something_else_is_told(tmp_path, rate, told):
    path = write(tmp_path, json.dumps(REQUEST | {"decode_tok_per_s": rate}))
    found = read_as("stream_json", path)
    assert told in found.completeness.reasons[0]
    assert "10 tok/s" in found.completeness.reasons[0]


def test_several_requests_are_samples(tmp_path):
    rows = [REQUEST | {"ttft_s": t} for t in (0.4, 0.5, 0.9)]
    found = read_as("stream_json", write(tmp_path, "\n".join(map(json.dumps, rows))))
    (group,) = figures(found)
    first = group.figures[0]
    assert (first.value, first.estimator) == (0.5, "median of 3 requests")
    assert first.samples == (0.4, 0.5, 0.9)


@pytest.mark.parametrize("module", [memory_log, stream_json])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"2026-03-01T00:00:00\nMem: 1Gi",
        b"2026-13-01T00:00:00+00:00\ntotal used\nMem: 1Gi 2Gi",
        b"2026-03-01T00:00:00\n total used\nMem: 1Gi 2Gi\n---\n2026-03-01T00:00:01Z\n---\n",
        b'{"ttft_s": 0, "completion_tokens": 0}', b'{"ttft_s": "x", "decode_tok_per_s": 1e999}',
        b'[{"ttft_s": 1, "completion_tokens": 1, "decode_tok_per_s": 1, "decode_window_s": 1}]',
    ],
)  # fmt: skip
def test_nothing_breaks_them(tmp_path, module, content):
    never_breaks(module, tmp_path / "f", content)


# --- evidence of another team, where it is at hand -----------------------------------------------
def test_a_watchdog_over_seven_hours():
    found = read_as("memory_log", case("three-leg/mem_watchdog.log"))
    courses = {line.label: follow(line) for line in found.contents[0].lines}
    assert courses["host used"].readings == 854
    assert courses["host used"].peak == 92 * GIB
    assert courses["container nvllm"].peak == pytest.approx(18.78 * GIB)
    assert all(each.gaps == () for each in courses.values())


def test_full_and_piecewise_streams_are_the_same():
    rates = [
        values(read_as("stream_json", case(f"full-vs-piecewise/{name}_streaming.json")))["decode"][
            0
        ]
        for name in ("piecewise", "full")
    ]
    assert rates[1] / rates[0] - 1 == pytest.approx(0.0038, abs=1e-4)
