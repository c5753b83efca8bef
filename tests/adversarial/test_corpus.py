"""A part of the corpus, tried for real: cheats lose by a rule that fits, honest ones do not.

`make corpus` tries all of it (benchmarks/integrity.py), with repetitions if asked.
"""

import re
from pathlib import Path

import pytest
from trial import CORPUS, Candidate, one_for_each_rule, read_corpus, try_candidates

from roofmark.analysis.rules import all_rules

# What a cheat keeps of memory that another one spoiled looks like anything: a saboteur is tried
# beside honest ones, who must not suffer from it.
_SABOTAGE = "RM512"
_HONEST = ("workspace", "in_place", "threads")


def _groups() -> dict[str, list[Candidate]]:
    """Name -> candidates that are tried side by side."""
    cheats = one_for_each_rule(read_corpus("cheats"))
    saboteurs = [each for each in cheats if _SABOTAGE in each.also]
    honest = [each for each in read_corpus("honest") if each.name in _HONEST]
    return {
        "cheats": [each for each in cheats if each not in saboteurs],
        "sabotage": saboteurs + honest,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cheats", "sabotage"])
def test_cheats_lose_and_honest_ones_are_not_accused(name: str, tmp_path: Path) -> None:
    candidates = _groups()[name]
    results = try_candidates(candidates, tmp_path)
    assert len(results) == len(candidates) >= 4
    assert {r.candidate.name: r.said for r in results if not r.right} == {}


def test_every_rule_that_refuses_a_cheat_is_tried() -> None:
    tried = [each for candidates in _groups().values() for each in candidates]
    named = {code for each in read_corpus("cheats") for code in (*each.refused, *each.also)}
    assert {code for each in tried for code in (*each.refused, *each.also)} == named
    assert len(named) >= 10 and {*_HONEST} <= {each.name for each in tried}


def test_every_candidate_says_what_it_does_and_what_refuses_it() -> None:
    codes = {rule.code for rule in all_rules()}
    cheats = {c.name: c for d in ("cpu", "cuda") for c in read_corpus("cheats", d)}
    honest = {c.name: c for d in ("cpu", "cuda") for c in read_corpus("honest", d)}
    assert len(cheats) >= 45 and len(honest) >= 20
    assert not set(cheats) & set(honest)
    for each in cheats.values():
        assert each.kind and each.refused and {*each.refused, *each.also} <= codes, each.name
    assert not any(each.refused for each in honest.values())


def test_every_known_class_has_a_candidate_or_a_reason() -> None:
    table = (CORPUS / "README.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", table, re.M))
    assert sorted(map(int, rows)) == list(range(1, 63))
    files = {path.stem for path in (CORPUS / "cheats").iterdir()}
    for number, text in rows.items():
        named = re.findall(r"`(\w+)`", text)
        assert named or text.startswith("left out: "), number
        assert set(named) <= files, (number, set(named) - files)
    named = set(re.findall(r"`(\w+)`", table))
    assert files <= named, files - named
