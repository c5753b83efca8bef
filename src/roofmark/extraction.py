r"""Extraction: the final answer in a text, by a written rule whose name is kept with the result.

In: what a model wrote. Out: the answer in one spelling, or Missing. Rules:

gsm8k/1   the number right behind the first `####` that has one; else the last number in the last
          `\boxed{}`; else the last number of the text. `####` before words, or before a number that
          a dot and words follow, is a heading. Of a longer text the last two look at its last
          20,000 characters.
exact/1   the text itself, without space around it and upper and lower case alike.

A number has digits, perhaps in groups of three ("1,234", LaTeX "1{,}234"), perhaps decimals and a
sign. What stands around it does not count: currency, units, "%", a dot that ends the sentence. A
minus after a digit, a letter or a bracket is an operator ("10-5" holds 10 and 5). A number inside a
word is none ("H100"), and neither is one of more than 40 digits. Numbers are compared by value:
"18.00", "$18" and "18." are 18; "2,75" is no number in English text, so it holds 2 and 75.
Source: `####` marks the answer in GSM8K (Cobbe et al. 2021, arXiv:2110.14168); the last number is
the habit of evaluation harnesses ("flexible extract").
"""

import re
from collections.abc import Callable

from roofmark.records import Missing

_NUMBER = re.compile(
    r"(?:(?<![\w)\].])|(?<=\$))"  # not inside a word, and not the decimals of another number
    r"(?P<sign>[-\u2212](?=[$\u20ac\u00a3]?\.?[0-9])|\+(?=[0-9]))?[$\u20ac\u00a3]?"
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)?(?P<decimals>\.[0-9]+)?"
)
_BOXED = re.compile(r"\\boxed\s*\{([^{}]{0,200}(?:\{[^{}]{0,200}\}[^{}]{0,200}){0,8})\}")
_LATEX_GROUPS = re.compile(r"(?<=[0-9])(?:\{,\}|\\[,!]|\\ |\u202f|\u00a0)(?=[0-9]{3})")
# Chosen: no answer has more digits; a run of thousands of them is a broken model.
_MOST_DIGITS = 40
# Chosen: no honest answer is longer, and a search through a megabyte would take seconds.
_LONGEST_END = 20_000
# What stands between the mark and its number.
_MARK = re.compile(r"####[ \t*:\\]*")
_HEADING = re.compile(r"[.):][ \t*]*[^\W\d]")


def extract_number(text: str) -> str | Missing:
    r"""Return the answer by gsm8k/1.

    >>> extract_number("so 3 * 6 = 18.\n#### 1,018.50 dollars"), extract_number("about $18.")
    ('1018.5', '18')
    """
    text = _LATEX_GROUPS.sub(",", text)
    marked = (_NUMBER.match(text, mark.end()) for mark in _MARK.finditer(text))
    for each in marked:
        if each and _is_number(each) and not _HEADING.match(text, each.end()):
            return _spelled(each)
    end = text[-_LONGEST_END:]
    boxed = [numbers[-1] for each in _BOXED.findall(end) if (numbers := _numbers(each))]
    found = boxed or _numbers(end)
    return found[-1] if found else Missing(reason="the text holds no number")


def extract_exact(text: str) -> str | Missing:
    """Return the answer by exact/1.

    >>> extract_exact(" Paris ")
    'paris'
    """
    bare = " ".join(text.split()).casefold()
    return bare or Missing(reason="the text is empty")


RULES: dict[str, Callable[[str], str | Missing]] = {
    "gsm8k/1": extract_number,
    "exact/1": extract_exact,
}
AS_GIVEN = "as the file says"
"""The rule of answers that another tool extracted; nothing is known of it."""


def same_answer(one: str, other: str) -> bool:
    """Whether two answers are one: by value where both are a single number.

    >>> same_answer("2,280", "2280.0"), same_answer("b", "B "), same_answer("1", "one")
    (True, True, False)
    """
    numbers = [_whole_number(each) for each in (one, other)]
    if all(numbers):
        return numbers[0] == numbers[1]
    return extract_exact(one) == extract_exact(other)


def _whole_number(text: str) -> str:
    """Return a text that is one number in its one spelling, "" for any other."""
    bare = text.strip().rstrip(".")
    found = _numbers(_LATEX_GROUPS.sub(",", bare))
    return found[0] if len(found) == 1 and not re.search(r"[^\W\d]", bare) else ""


def _numbers(text: str) -> list[str]:
    return [_spelled(each) for each in _NUMBER.finditer(text) if _is_number(each)]


def _is_number(found: re.Match[str]) -> bool:
    return 0 < len(found["digits"] or found["decimals"] or "") <= _MOST_DIGITS


def _spelled(found: re.Match[str]) -> str:
    """Return one spelling per value: no separators, no leading or trailing zeros, "-" for minus."""
    digits = (found["digits"] or "").replace(",", "").lstrip("0") or "0"
    decimals = (found["decimals"] or "").rstrip("0").rstrip(".")
    sign = "-" if found["sign"] in ("-", "\u2212") and digits + decimals != "0" else ""
    return sign + digits + decimals
