"""RM605: one character over and over."""

import unicodedata
from functools import lru_cache
from itertools import groupby

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import Output
from roofmark.records import Missing

# Chosen, from what honest text holds. Lines are drawn across a page and a table; numbers have up to
# 64 binary digits; letters are stretched ("noooo") and bases repeat; nobody needs 13 "!".
_DRAWN = frozenset("-=_*~.#+|:/\\")
_LONGEST = {"drawn": 200, "N": 64, "L": 32, "other": 12}
# Chosen: "!!!!" alone is no answer; "Stop!!!!" is one.
_WHOLE, _SHORTEST = 0.75, 4
_WHOLES = {"N": 2.0, "drawn": 1.0}


@rule(
    "RM605",
    "one character stands over and over",
    per="output",
    moves="invalid",
    fires={"output": Output(text="!!!!")},
    silent={"output": Output(text="| a | b |\n|-----------|-----------|\nWait!!! 1000000 ......")},
)
def output_character_run(output: Output) -> str | Missing:
    """One visible character in a row is most of the output, or is longer than honest text needs.

    Spaces between do not interrupt a run. Most is three quarters of the visible characters, from
    four on; digits are left out of that, since "1000000" is an answer, and of a drawn line it is
    all, since "#### 7" is one. Honest text needs up to 200
    characters for a drawn line, 64 for digits, 32 for letters, 12 for anything else.
    Why it matters: in a soak that had been cleared, a quarter of all answers were "!!!!", one word
    for a check that splits on spaces. It is what NaN logits look like.
    What to do: as for RM602. Not to be accepted.
    """
    if isinstance(output.text, Missing):
        return output.text
    whole = len(output.visible)
    for character, same in groupby(output.visible):
        length, kind = sum(1 for _ in same), _kind(character)
        most = length >= _SHORTEST and length >= _WHOLES.get(kind, _WHOLE) * whole
        if most or length > _LONGEST[kind]:
            share = f"{100 * length / whole:.0f} % of what is visible"
            return f"{character!r} stands {length} times in a row, {share}"
    return ""


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    if character in _DRAWN or "\u2500" <= character <= "\u259f":
        return "drawn"
    kind = unicodedata.category(character)[0]
    return kind if kind in _LONGEST else "other"
