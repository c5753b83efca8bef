"""Words that name things, so that a text's label and a file's label can meet.

In: prose, headings, identifiers, paths. Out: tokens, identifiers, keys ("32 CTAs", "4cta" and
"wo_split=1" are a name with a number), estimators and the parts of a chip that a text names.
"""

import re
import unicodedata
from functools import lru_cache


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:(?:::|\.)[A-Za-z0-9_]+)*")
_NUMBER_NAME = re.compile(r"(?<![\w.,])(\d{1,6})[ -]((?:[A-Za-z][A-Za-z_]*[ ]?){1,3})")
_GLUED = re.compile(r"(?<![A-Za-z0-9.])(\d{1,6})([a-z]{2,})(?![a-z])")
_NAME_NUMBER = re.compile(r"([A-Za-z]{2,})(?:[ _-]?|\s?=\s?|:\s?)(\d{1,6})(?![\d.,]*\d|[A-Za-z%×])")
_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "μ": "u", "µ": "u"}
_SAME = {
    "average": "mean",
    "avg": "mean",
    "p50": "median",
    "med": "median",
    "bandwidth": "throughput",
    "speed": "speedup",
    "faster": "speedup",
    "slower": "speedup",
    "launches": "call",
    "launch": "call",
    "instance": "call",
    "stdev": "std",
    "stddev": "std",
    "deviation": "std",
    "minimum": "min",
    "maximum": "max",
    "mem": "memory",
    "pct": "percent",
    "sum": "total",
    "lts": "l2",
    "l1tex": "l1",
}
_STOP = _set(
    "a an and are as at be by for from in is it its of on or per than that the this to was we were",
    "with vs not no only each all both has have had kernel kernels time us ms ns s",
)
_ESTIMATORS = {
    "mean": "mean",
    "median": "median",
    "p95": "p95",
    "p99": "p99",
    "std": "std",
    "min": "min",
    "max": "max",
    "total": "total",
    "call": "calls",
    "sample": "calls",
}
RATIO_WORDS = frozenset(("speedup", "ratio", "quicker", "factor"))
CHANGE_WORDS = _set(
    "speedup regression regress change delta lower higher drop gain reduction improvement increase",
    "decrease more less overhead against down up",
)
_PARTS = {
    "dram": "dram",
    "hbm": "dram",
    "fbpa": "dram",
    "l2": "l2",
    "l1": "l1",
    "tex": "l1",
    "tensor": "tensor",
    "pcie": "pcie",
    "nvlink": "nvlink",
}
_NAMES_NO_KEY = _set("sm fp bf int uint ncu pr gb mb kb us ms ns utf sha v python cuda")


def tokens(text: str) -> frozenset[str]:
    """Return the words of a text in one spelling each, whole identifiers and their parts.

    >>> sorted(tokens("Mean elapsed of β-coop"))
    ['beta', 'coop', 'elapsed', 'mean']
    """
    return _tokens(text[:20000])


@lru_cache(maxsize=4096)
def _tokens(text: str) -> frozenset[str]:
    found: set[str] = set()
    for letter, name in _GREEK.items():
        text = text.replace(letter, name)
    for word in _WORD.findall(unicodedata.normalize("NFKC", text)):
        for part in {word, *_CAMEL.findall(word)}:
            found.add(_same(part.lower()))
    return frozenset(each for each in found - _STOP if not each.isdecimal())


def _same(word: str) -> str:
    if word in _SAME:
        return _SAME[word]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return _SAME.get(word, word)


@lru_cache(maxsize=4096)
def identifiers(text: str) -> frozenset[str]:
    """Return names that only a program could have: with an underscore, `::`, or inner capitals.

    >>> sorted(identifiers("the DecodeKernel of gemvx::kernel is slow"))
    ['DecodeKernel', 'gemvx::kernel']
    """
    found = _IDENTIFIER.findall(text[:20000])
    return frozenset(name for name in found if len(name) >= 6 and _is_name(name))


def _is_name(name: str) -> bool:
    return "_" in name.strip("_") or "::" in name or bool(re.search(r"[a-z][A-Z]", name))


@lru_cache(maxsize=4096)
def keys(text: str) -> dict[str, frozenset[str]]:
    """Return names with a number: name -> numbers.

    >>> keys("timing/4cta with wo_split=1")
    {'cta': frozenset({'4'}), 'split': frozenset({'1'})}
    """
    found: dict[str, set[str]] = {}
    text = text[:20000]
    for match in _GLUED.finditer(text):
        found.setdefault(_same(match[2]), set()).add(match[1])
    for match in _NUMBER_NAME.finditer(text):
        for name in re.findall("[A-Za-z]+", match[2]):
            if name.lower() in _STOP:
                break
            found.setdefault(_same(name.lower()), set()).add(match[1])
    for match in _NAME_NUMBER.finditer(text):
        found.setdefault(_same(match[1].lower()), set()).add(match[2])
    return {
        name: frozenset(numbers)
        for name, numbers in found.items()
        if len(name) > 1 and name not in _NAMES_NO_KEY and name not in _STOP
    }


def estimators(text: str) -> frozenset[str]:
    """Return the estimators that a text names.

    >>> sorted(estimators("mean and p95 of 50 launches"))
    ['calls', 'mean', 'p95']
    """
    return frozenset(_ESTIMATORS[each] for each in tokens(text) if each in _ESTIMATORS)


def parts_of_chip(text: str) -> frozenset[str]:
    """Return the parts of a chip that a text or a counter's name speaks of.

    >>> sorted(parts_of_chip("peak DRAM bandwidth")), sorted(parts_of_chip("lts__t_sectors.sum"))
    (['dram'], ['l2'])
    """
    return frozenset(_PARTS[each] for each in tokens(text) if each in _PARTS)
