"""A part of the corpus, tried for real: cheats lose by a rule that fits, honest ones do not.

`benchmarks/integrity.py` tries all of it, with repetitions.
"""

import re
from pathlib import Path

import pytest
from trial import CORPUS, read_corpus, try_candidates

from roofmark.analysis.rules import all_rules

# Chosen: one for each way of losing; a busy machine cannot make any of these look honest.
CHEATS = (
    "cache_by_shape", "zeros", "untouched", "bfloat16", "patched_clock", "network",
    "kills_siblings",
)  # fmt: skip
# What a cheat keeps of memory that another one spoiled looks like anything: the saboteur is tried
# beside honest ones, who must not suffer from it.
BESIDE = ("neighbours_poisoned", "workspace", "in_place", "threads")


@pytest.mark.slow
def test_cheats_lose_and_honest_ones_are_not_accused(tmp_path: Path) -> None:
    corpus = read_corpus("cheats") + read_corpus("honest")
    results = []
    for names in (CHEATS, BESIDE):
        chosen = [each for each in corpus if each.name in names]
        assert len(chosen) == len(names)
        (tmp_path / names[0]).mkdir()
        results += try_candidates(chosen, tmp_path / names[0])
    assert {r.candidate.name: r.codes for r in results if not r.right} == {}
    said = {r.candidate.name: r.said for r in results}
    assert "what another call had to give" in said["cache_by_shape"]
    assert "every element of y is 0" in said["zeros"]
    assert "poisoned with: not written" in said["untouched"]
    assert "rounding to bfloat16" in said["bfloat16"]
    assert "memory of" in said["neighbours_poisoned"]
    assert "perf_counter_ns" in said["patched_clock"]


def test_every_candidate_says_what_it_does_and_what_refuses_it() -> None:
    codes = {rule.code for rule in all_rules()}
    cheats = {c.name: c for d in ("cpu", "cuda") for c in read_corpus("cheats", d)}
    honest = {c.name: c for d in ("cpu", "cuda") for c in read_corpus("honest", d)}
    assert len(cheats) >= 45 and len(honest) >= 20
    assert not set(cheats) & set(honest)
    for each in cheats.values():
        assert each.kind and each.refused and set(each.refused) <= codes, each.name
    assert not any(each.refused for each in honest.values())


def test_every_known_class_has_a_candidate_or_a_reason() -> None:
    table = (CORPUS / "README.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", table, re.M))
    assert sorted(map(int, rows)) == list(range(1, 52))
    files = {path.stem for path in (CORPUS / "cheats").iterdir()}
    for number, text in rows.items():
        named = re.findall(r"`(\w+)`", text)
        assert named or text.startswith("left out: "), number
        assert set(named) <= files, (number, set(named) - files)
    named = set(re.findall(r"`(\w+)`", table))
    assert files <= named, files - named
