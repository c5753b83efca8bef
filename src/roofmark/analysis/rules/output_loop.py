"""RM606: a phrase or a line over and over."""

import re

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.output import Output, grams, repeated_share
from roofmark.records import Missing

# A word, or one character of a script that sets no spaces (Han, kana, Thai).
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_]+")
# Chosen: on pieces of 2,000 characters of code, tables, JSON and prose (benchmarks/degenerate.py)
# none is above; a phrase that stands eight times is at 87 %.
MOST = 0.85
FEWEST_WORDS = 48
# Chosen: a list may hold eight equal things; a loop to the token limit holds more, or is long.
FEWEST_TIMES, FEWEST_CHARACTERS = 8, 160
# Chosen: without letters it may be rows of a matrix of zeros.
TIMES_WITHOUT_LETTERS, CHARACTERS_WITHOUT_LETTERS = 32, 400
LONGEST_PERIOD = 400
# Chosen: fifty of the longest periods, and what a rule may cost.
LONGEST_END = 20_000


@rule(
    "RM606",
    "a phrase stands over and over",
    per="output",
    moves="invalid",
    fires={"output": Output(text="The sum is 12. " + "So we add them again. " * 12)},
    silent={"output": Output(text="Row, row, row your boat,\nGently down the stream.\n" * 3)},
)
def output_loop(output: Output) -> str | Missing:
    """The text ends in a loop, or nearly all of its word 3-grams stood before.

    A loop is a piece of up to 400 characters, white space apart, at least eight times in a row over
    160 characters or more (without letters 32 times over 400: a matrix of zeros is honest). Of 48
    words or more, 85 % of the 3-grams may have stood before: the keys of a JSON list come close;
    3-grams of numbers alone do not count; Han, kana, Hangul and Thai count by character. Of a
    longer text the last 20,000 characters are looked at.
    Why it matters: greedy decoding with a damaged cache or a wrong position falls into loops; the
    speed is that of the healthy model and the answer is none.
    What to do: as for RM603. Not to be accepted.
    """
    if isinstance(output.text, Missing):
        return output.text
    period, length = _loop(output.visible[-LONGEST_END:])
    piece = output.visible[-period:] if period else ""
    if period and length >= _enough(piece):
        shown = piece if len(piece) <= 40 else piece[:39] + "…"
        return f"it ends in {shown!r}, {length // period} times, {length} characters"
    words = _WORD.findall(output.written[-LONGEST_END:].lower())
    if len(words) < FEWEST_WORDS:
        return ""
    counted = [gram for gram in grams(words) if not all(map(str.isdigit, gram))]
    share = repeated_share(counted)
    said = f"{100 * share:.0f} % of the 3-grams of {len(words)} words stood before"
    return said if share > MOST else ""


def _enough(piece: str) -> int:
    """Return how many characters of a loop of this piece are no honest list."""
    if any(map(str.isalpha, piece)):
        return max(FEWEST_CHARACTERS, FEWEST_TIMES * len(piece))
    return max(CHARACTERS_WITHOUT_LETTERS, TIMES_WITHOUT_LETTERS * len(piece))


def _loop(text: str) -> tuple[int, int]:
    """Return the period of the longest periodic end, and how many characters it has."""
    best = (0, 0)
    for period in range(1, min(LONGEST_PERIOD, len(text) // 2) + 1):
        # A multiple of a period says the same once more.
        if text[-period:] != text[-2 * period : -period] or (best[0] and period % best[0] == 0):
            continue
        length = period
        while length < len(text) and text[-length - 1] == text[-length - 1 + period]:
            length += 1
        if length > best[1]:
            best = (period, length)
    return best
