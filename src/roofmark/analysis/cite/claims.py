"""The claims of a text: its numbers with their units, the interval they stand for, and their names.

In: Markdown. Out: `Claim`s in order. A printed number stands for every value that rounds to it:
"8.06 %" for 8.055 to 8.065. Without a unit a number is a claim in a table's cell, with separators
of thousands, with decimals, or before the name of something that benchmarks count.
"""

import re
from collections.abc import Iterator
from itertools import islice

from roofmark.analysis.cite.markdown import Piece, pieces
from roofmark.analysis.cite.measures import measure_of, plain_units, unit_after
from roofmark.analysis.cite.records import Claim, Relation
from roofmark.analysis.cite.words import estimators

# Chosen: a report has a few hundred numbers; more are data, and each costs a search.
MOST_CLAIMS = 5000
# Chosen: what names a number stands within two lines of it; its nearest words within half a line.
_NEAR, _CLOSE = 200, 48
# Chosen: a cell of more is prose and no value with a remark.
_PROSE = 60
# Chosen: a number of a kernel report is below this; longer digits are identities.
_LONGEST = 24
# Source: a yotta is 1e24, a quecto 1e-30.
_LARGEST_EXPONENT = 30

_NUMBER = re.compile(
    r"(?<![\w.,#$^/])(?<![A-Za-z]-)(?P<relation>[~≈≤≥<>]|<=|>=)?\s?"
    r"(?P<sign>[-+−±](?=[\d.]))?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?)"
)
_FRACTION = re.compile(r"(?<![\w.,/])(\d{1,7}) ?/ ?(\d{1,7})(?![\w/]|[.,]\d)")
_RANGE_END = re.compile(r"\s?(?:[-–—]|to|±|/)\s?\d[\d.,]*")
_COUNTED = re.compile(
    r"[ -](?:[A-Za-z/]{1,15} )?(?:launch|call|sample|kernel|repetition|run|iteration|step|warp"
    r"|thread|block|register|token|request|instance|process|trial)(?:e?s)?\b",
    re.IGNORECASE,
)
# What stands in an equation is what the equation says, a part or a result.
_COMPUTED = re.compile(r"(?:[=≈→]|(?<=[\w)])\s[×·*+−/])\s?[-+−~]?$")
_OPERAND = re.compile(r"\s[×·*+−/]\s?\d")
_ABOUT = re.compile(r"\b(?:about|around|approximately|roughly|nearly|circa|ca\.)\s$", re.IGNORECASE)
_AT_MOST = re.compile(r"\b(?:at most|up to|below|under|less than|within)\s$", re.IGNORECASE)
_AT_LEAST = re.compile(r"\b(?:at least|more than|over|above|beyond)\s$", re.IGNORECASE)
_NO_WARM_UP = re.compile(
    r"\b(?:exclud|without|discard|dropp|ignor|skipp|omit|after|not count)[^.\n]{0,60}warm-?\s?up",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[,;]\s")
_SIGNS: dict[str, Relation] = {"~": "~", "≈": "~", "≤": "<=", "<": "<=", "≥": ">=", ">": ">="}


def find_claims(text: str) -> tuple[Claim, ...]:
    """Return the claims of a Markdown text, at most `MOST_CLAIMS`."""
    found = (claim for piece in pieces(text) for claim in _claims_of(piece))
    return tuple(islice(found, MOST_CLAIMS))


def leaves_warm_up_out(text: str) -> bool:
    """Whether a text says that its numbers do not count the warm-up."""
    return bool(_NO_WARM_UP.search(text))


def estimators_of_text(text: str) -> frozenset[str]:
    """Return the estimators that a text names anywhere."""
    return frozenset[str]().union(*(estimators(line) for line in text.split("\n")))


def _claims_of(piece: Piece) -> Iterator[Claim]:
    text = plain_units(piece.masked)
    fractions = {found.start(1): found for found in _FRACTION.finditer(text)}
    skip = 0
    for found in _NUMBER.finditer(text):
        if found.start("digits") < skip or not _is_measurable(found["digits"]):
            continue
        fraction = fractions.get(found.start("digits"))
        if fraction and int(fraction[2]) > 0 and int(fraction[1]) <= int(fraction[2]):
            skip = fraction.end()
            yield _claim(piece, found, "", fraction.end(), of=float(fraction[2]))
            continue
        unit, end = _unit(piece, text, found)
        if unit is not None:
            yield _claim(piece, found, unit, end)


def _is_measurable(digits: str) -> bool:
    """Whether a number is one that something can have, and no float overflows with it."""
    exponent = digits.lower().partition("e")[2]
    return len(digits) <= _LONGEST and abs(int(exponent or 0)) <= _LARGEST_EXPONENT


def _unit(piece: Piece, text: str, found: re.Match[str]) -> tuple[str | None, int]:
    """Return the unit ("" for none) and the claim's end; None where the number claims nothing."""
    end = found.end()
    unit, after = unit_after(text, end)
    if unit == "?":
        return None, end
    if unit:
        return unit, after
    if re.match(r"[\w°]|[-.]\w|,\d|/\w", text[end : end + 2]):
        return _unit_of_range(text, end), end
    shared = _unit_of_range(text, end)
    if shared:
        return shared, end
    if piece.cell and not text[: found.start()].strip() and not text[end:].strip():
        return piece.unit, end
    digits = found["digits"]
    if "," in digits or "." in digits or _COUNTED.match(text, end):
        return "", end
    return None, end


def _unit_of_range(text: str, end: int) -> str | None:
    """Return the unit of a range's or a row's end: the 1 of "1-2 ms", of "1 / 2 / 3 ms"."""
    at = end
    for _ in range(8):
        further = _RANGE_END.match(text, at)
        if not further:
            return None
        at = further.end()
        unit, _ = unit_after(text, at)
        if unit == "?":
            return None
        if unit:
            return unit
    return None


def _claim(piece: Piece, found: re.Match[str], unit: str, end: int, of: float = 0.0) -> Claim:
    begin = found.start("sign") if found["sign"] else found.start("digits")
    line, column = piece.place(begin)
    digits = found["digits"].replace(",", "")
    value = float(digits)
    value = -value if found["sign"] in ("-", "−") else value
    relation = _relation(found["relation"], piece.masked[: found.start()])
    half = _half_of_last_digit(digits) * (2 if relation == "~" else 1)
    measure = measure_of(unit) if unit else None
    dimension = measure.dimension if measure else "fraction" if of else "number"
    return Claim(
        text=" ".join(piece.text[begin : max(end, found.end())].split()),
        value=value,
        low=value - half,
        high=value + half,
        unit=unit,
        dimension=dimension,
        scales=measure.scales if measure else (1.0,),
        digits=_significant(digits),
        line=line,
        column=column,
        near=_near(piece, begin, _NEAR),
        close=_near(piece, begin, _CLOSE),
        section=piece.section,
        relation=relation,
        of=of,
        computed=bool(_COMPUTED.search(piece.masked[:begin]) or _OPERAND.match(piece.masked, end)),
    )


def _relation(sign: str | None, before: str) -> Relation:
    if sign:
        return _SIGNS[sign[0]]
    if _ABOUT.search(before[-40:]):
        return "~"
    if _AT_MOST.search(before[-40:]):
        return "<="
    return ">=" if _AT_LEAST.search(before[-40:]) else "="


def _near(piece: Piece, at: int, reach: int) -> str:
    """Return the words that name a number: headings and row for a cell, else those around it."""
    around = _around(piece.text, at, reach)
    if not piece.heading and not piece.names:
        return around
    if len(piece.text) <= _PROSE:
        return f"{piece.heading} | {piece.names}"
    # A cell with sentences names its numbers itself.
    return f"{piece.heading} | {around}" + (f" ; {piece.names}" if reach == _NEAR else "")


def _around(text: str, at: int, reach: int) -> str:
    begin, end = max(0, at - reach), at + reach
    # No word is cut in two: half an identifier is another one.
    while begin > 0 and text[begin - 1].isalnum() and at - begin < 2 * reach:
        begin -= 1
    while end < len(text) and text[end - 1].isalnum() and end - at < 2 * reach:
        end += 1
    if reach == _CLOSE:
        # A comma ends what is said of a number.
        begin = max([begin, *(found.end() for found in _COMMA.finditer(text, begin, at))])
        comma = _COMMA.search(text, at, end)
        end = comma.start() if comma else end
    return " ".join(text[begin:end].split())


def _half_of_last_digit(digits: str) -> float:
    mantissa, _, exponent = digits.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def _significant(digits: str) -> int:
    mantissa = digits.lower().partition("e")[0].replace(".", "")
    return len(mantissa.lstrip("0")) or 1
